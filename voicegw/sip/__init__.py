"""Layer 1: a sans-I/O SIP stack (RFC 3261): bytes and now in, messages and timers out."""
