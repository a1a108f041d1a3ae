"""How the SIP gateway stands, for metrics and for people."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.gateway.guard import GuardSnapshot


@dataclass(frozen=True, slots=True)
class SipSnapshot:
    """One moment."""

    calls: int
    transactions: int
    half_open: int
    """Calls of strangers that were not acknowledged yet."""
    overloaded: bool
    draining: bool
    guard: GuardSnapshot
