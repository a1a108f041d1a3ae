"""The catalogue of hang-up causes: one row says the SIP status, the Q.850 cause and the side at fault.

Every call that ends carries one of these, in its record and, where we send the last message, in the Reason
header (RFC 3326). Q.850 numbers follow RFC 3398 §7.2.4.1 and §8.2.6.1 where it gives one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(Enum):
    """Who ended the call or is to blame for its end."""

    CALLER = "caller"
    AGENT = "agent"
    OPERATOR = "operator"
    NETWORK = "network"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a call to end.

    ``sip_status`` is what an unanswered INVITE is refused with; ``q850`` goes into the Reason header of a BYE
    or of that refusal; ``failure`` says whether the call counts as failed.
    """

    name: str
    sip_status: int
    q850: int
    side: Side
    failure: bool
    text: str


class HangupCause(Enum):
    """All causes, by name."""

    CALLER_HANGUP = Cause("caller_hangup", 200, 16, Side.CALLER, False, "the caller hung up")
    CALLER_CANCELLED = Cause(
        "caller_cancelled", 487, 16, Side.CALLER, False, "the caller gave up before the answer"
    )
    AGENT_HANGUP = Cause("agent_hangup", 200, 16, Side.AGENT, False, "the agent ended the call")
    CALLEE_HANGUP = Cause("callee_hangup", 200, 16, Side.OPERATOR, False, "the person called hung up")
    TRANSFERRED = Cause("transferred", 200, 16, Side.AGENT, False, "the caller was moved to somebody else")
    TRANSFER_OFF = Cause("transfer_off", 487, 16, Side.LOCAL, False, "the transfer did not come about")
    SUPERVISION_OVER = Cause("supervision_over", 200, 16, Side.LOCAL, False, "the supervised call is over")
    SUPERVISOR_ENDED = Cause("supervisor_ended", 200, 16, Side.OPERATOR, False, "a supervisor ended the call")
    NO_INPUT = Cause("no_input", 200, 16, Side.AGENT, False, "the caller said nothing for too long")
    CALL_TOO_LONG = Cause(
        "call_too_long", 200, 31, Side.OPERATOR, False, "the longest allowed duration was reached"
    )
    DRAINING = Cause("draining", 503, 41, Side.OPERATOR, False, "the server is shutting down")
    ROUTE_REJECTED = Cause("route_rejected", 403, 21, Side.OPERATOR, False, "the dialplan rejects this call")
    NO_ROUTE = Cause("no_route", 404, 1, Side.OPERATOR, True, "no dialplan route matches")
    BUSY = Cause("busy", 486, 17, Side.LOCAL, True, "every line of this server is taken")
    OVERLOADED = Cause("overloaded", 503, 42, Side.LOCAL, True, "the server is overloaded")
    NOT_ACCEPTABLE = Cause("not_acceptable", 488, 65, Side.CALLER, True, "no codec in common")
    NO_ACK = Cause("no_ack", 408, 102, Side.NETWORK, True, "the answer was never acknowledged")
    NO_MEDIA = Cause("no_media", 408, 102, Side.NETWORK, True, "no audio packets arrived for too long")
    PEER_ERROR = Cause("peer_error", 500, 111, Side.NETWORK, True, "the peer broke the protocol")
    PEER_REJECTED = Cause("peer_rejected", 603, 21, Side.NETWORK, True, "the called party refused")
    NO_ANSWER = Cause("no_answer", 480, 19, Side.NETWORK, True, "the called party did not answer")
    UNREACHABLE = Cause("unreachable", 408, 18, Side.NETWORK, True, "the peer did not respond")
    MEDIA_LOST = Cause("media_lost", 500, 41, Side.LOCAL, True, "the media worker failed")
    PROVIDERS_DOWN = Cause(
        "providers_down", 503, 41, Side.LOCAL, True, "everything that could speak for the agent was down"
    )
    INTERNAL_ERROR = Cause("internal_error", 500, 41, Side.LOCAL, True, "voicegw failed")

    @property
    def reason_header(self) -> str:
        """The value of a Reason header (RFC 3326 §2)."""
        return f'Q.850;cause={self.value.q850};text="{self.value.text}"'
