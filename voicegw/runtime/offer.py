"""How a call begins: what its INVITE said, and the first fact of its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from voicegw.base.ids import CallId, LegId
from voicegw.call import facts as f
from voicegw.gateway.tolls.calls import NOBODY as NO_PAYER
from voicegw.gateway.tolls.calls import Payer
from voicegw.sip.parties import NOBODY, Parties


@dataclass(frozen=True, slots=True)
class Offer:
    """What the INVITE said."""

    leg_id: LegId
    sip_call_id: str
    called: str
    calling: str
    display_name: str
    headers: Mapping[str, str]
    uri: str = ""
    """Whom we call, where the call is ours; empty for one that came in."""
    trunk: str = ""
    """By which it came."""
    parties: Parties = NOBODY
    """More about who calls whom."""
    max_call_s: int = 0
    """The longest that its trunk allows; 0: no limit of its own."""
    recorded: bool = False
    """It is a recording session: others talk, and we are sent what they say."""

    told: Mapping[str, str] = field(default_factory=dict)
    """What the agent is to know from the start, where the call is ours."""
    payer: Payer = NO_PAYER
    """Who ordered it, where the call is ours."""

    def fact(self, call_id: CallId, wall: float) -> f.CallWasOffered:
        """For the record; ``wall`` is the time of day in seconds since 1970."""
        return f.CallWasOffered(
            call_id,
            self.sip_call_id,
            self.called,
            self.calling,
            self.display_name,
            datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds"),
            "out" if self.uri else "in",
        )
