"""Signed callers (STIR, RFC 8224 to 8226) and SHAKEN (RFC 8588): read, check, decide. No I/O, no clock."""
