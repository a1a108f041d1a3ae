"""Layer 1: sample-level signal code on numpy int16/float32 arrays. No I/O, no clock."""
