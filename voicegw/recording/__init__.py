"""Layer 5: audio to disk as it happens."""
