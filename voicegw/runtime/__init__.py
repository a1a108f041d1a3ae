"""Layer 6: one mailbox and one task per call."""
