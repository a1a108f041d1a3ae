"""Layer 5: SIP sockets, trunks and legs."""
