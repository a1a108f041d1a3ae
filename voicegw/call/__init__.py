"""Layer 2: what a call is: legs, states, events, commands. Pure."""
