"""Typed slots: from what a caller says (or keys in) to a value, and back to words."""
