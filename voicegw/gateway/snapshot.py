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

    def gauges(self) -> dict[str, float]:
        """The levels, by the names that metrics show."""
        return {
            "sip_calls": float(self.calls),
            "sip_transactions": float(self.transactions),
            "sip_half_open_calls": float(self.half_open),
            "sip_overloaded": float(self.overloaded),
            "sip_sources_ignored": float(len(self.guard.bans)),
        }
