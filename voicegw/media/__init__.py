"""Layer 5: the media worker: every sample of every leg, on one 20 ms clock."""
