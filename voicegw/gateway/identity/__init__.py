"""Verification of signed callers: certificates from the web, the policy of a trunk, and what becomes of a call."""
