"""Layer 3: the protocols that providers implement."""
