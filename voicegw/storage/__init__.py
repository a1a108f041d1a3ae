"""Layer 5: the append-only record of calls."""
