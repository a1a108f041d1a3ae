"""Layer 5: speech engines in worker processes, behind the ports."""
