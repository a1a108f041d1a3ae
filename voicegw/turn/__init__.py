"""Layer 2: who speaks when: the turn machine, endpointing, barge-in, playout truth. Pure."""
