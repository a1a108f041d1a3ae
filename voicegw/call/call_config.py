"""What one call may and may not do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallConfig:
    """Limits of one call."""

    max_duration_s: float = 3600.0
    """A call longer than this is parted from politely: nobody talks with a bot for an hour on purpose."""
    no_media_ms: int = 20_000
    """Silence on the wire (not on the line) that ends a call; held legs do not count."""
    parting_s: float = 12.0
    """How long a goodbye may take before the leg is ended without it."""
    max_bridged_s: float = 14_400.0
    """Caller and target of a transfer may talk for this long: four hours, in case both forgot to hang up."""
    max_early_s: float = 120.0
    """What is said before the answer may take this long: a proxy on the way gives up after three minutes (RFC 3261
    §16.6, Timer C)."""
