"""Layer 3: routes from numbers to agents. Pure: text in, decisions out."""
