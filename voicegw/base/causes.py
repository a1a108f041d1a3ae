"""The catalogue of hang-up causes: each row says SIP status, Q.850 cause, the side at fault and what is heard.

Every call that ends carries one of these, in its record and, where we send the last message, in the Reason
header (RFC 3326). Q.850 numbers follow RFC 3398 §7.2.4.1 and §8.2.6.1 where it gives one. What peers say is read by
:func:`cause_of_refusal` and :func:`cause_of_release`. ``docs/causes.md`` is this file as a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Side(Enum):
    """Who ended the call or is to blame for its end."""

    CALLER = "caller"
    AGENT = "agent"
    OPERATOR = "operator"
    NETWORK = "network"
    LOCAL = "local"
    CALLEE = "callee"


class Heard(Enum):
    """What the caller hears at the end. Tones and announcements of an unanswered call are their own network's."""

    NOTHING = "nothing: they are not there any more"
    GOODBYE = "what the agent says last"
    HOUSE_TEXT = "the sentence that texts has for it"
    ANSWERER = "whoever they are moved to"
    BUSY = "the busy tone"
    CONGESTION = "the congestion tone"
    UNOBTAINABLE = "the number-unobtainable tone or an announcement"
    AGENT_AGAIN = "the agent again, who says that it did not work; in a call of ours: nothing"
    SILENCE = "that the line goes dead"


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
    heard: Heard = Heard.SILENCE


class HangupCause(Enum):
    """All causes, by name."""

    CALLER_HANGUP = Cause("caller_hangup", 200, 16, Side.CALLER, False, "the caller hung up", Heard.NOTHING)
    CALLER_CANCELLED = Cause(
        "caller_cancelled", 487, 16, Side.CALLER, False, "the caller gave up before the answer", Heard.NOTHING
    )
    AGENT_HANGUP = Cause("agent_hangup", 200, 16, Side.AGENT, False, "the agent ended the call", Heard.GOODBYE)
    CALLEE_HANGUP = Cause(
        "callee_hangup", 200, 16, Side.OPERATOR, False, "the person called hung up", Heard.SILENCE
    )
    TRANSFERRED = Cause(
        "transferred", 200, 16, Side.AGENT, False, "the caller was moved to somebody else", Heard.ANSWERER
    )
    TRANSFER_OFF = Cause(
        "transfer_off", 487, 16, Side.LOCAL, False, "the transfer did not come about", Heard.AGENT_AGAIN
    )
    SUPERVISION_OVER = Cause(
        "supervision_over", 200, 16, Side.LOCAL, False, "the supervised call is over", Heard.NOTHING
    )
    SUPERVISOR_ENDED = Cause(
        "supervisor_ended", 200, 16, Side.OPERATOR, False, "a supervisor ended the call", Heard.SILENCE
    )
    NO_INPUT = Cause("no_input", 200, 16, Side.AGENT, False, "the caller said nothing for too long", Heard.GOODBYE)
    CALL_TOO_LONG = Cause(
        "call_too_long", 200, 31, Side.OPERATOR, False, "the longest allowed duration was reached", Heard.HOUSE_TEXT
    )
    DRAINING = Cause("draining", 503, 41, Side.OPERATOR, False, "the server is shutting down", Heard.HOUSE_TEXT)
    ROUTE_REJECTED = Cause(
        "route_rejected", 403, 21, Side.OPERATOR, False, "the dialplan rejects this call", Heard.UNOBTAINABLE
    )
    NO_ROUTE = Cause("no_route", 404, 1, Side.OPERATOR, True, "no dialplan route matches", Heard.UNOBTAINABLE)
    BUSY = Cause("busy", 486, 17, Side.LOCAL, True, "every line of this server is taken", Heard.BUSY)
    OVERLOADED = Cause("overloaded", 503, 42, Side.LOCAL, True, "the server is overloaded", Heard.CONGESTION)
    NOT_ACCEPTABLE = Cause("not_acceptable", 488, 65, Side.CALLER, True, "no codec in common", Heard.CONGESTION)
    NO_ACK = Cause("no_ack", 408, 102, Side.NETWORK, True, "the answer was never acknowledged", Heard.SILENCE)
    NO_MEDIA = Cause(
        "no_media", 408, 102, Side.NETWORK, True, "no audio packets arrived for too long", Heard.SILENCE
    )
    SESSION_EXPIRED = Cause(
        "session_expired", 408, 102, Side.NETWORK, True, "the peer did not refresh the call in time", Heard.SILENCE
    )
    PEER_ERROR = Cause("peer_error", 500, 111, Side.NETWORK, True, "the peer broke the protocol", Heard.SILENCE)
    PEER_REJECTED = Cause(
        "peer_rejected", 603, 21, Side.CALLEE, True, "the called party refused", Heard.AGENT_AGAIN
    )
    NO_ANSWER = Cause("no_answer", 480, 19, Side.CALLEE, True, "the called party did not answer", Heard.AGENT_AGAIN)
    UNREACHABLE = Cause("unreachable", 408, 18, Side.NETWORK, True, "the peer did not respond", Heard.AGENT_AGAIN)
    MEDIA_LOST = Cause("media_lost", 500, 41, Side.LOCAL, True, "the media worker failed", Heard.SILENCE)
    PROVIDERS_DOWN = Cause(
        "providers_down",
        503,
        41,
        Side.LOCAL,
        True,
        "everything that could speak for the agent was down",
        Heard.SILENCE,
    )
    INTERNAL_ERROR = Cause("internal_error", 500, 41, Side.LOCAL, True, "voicegw failed", Heard.SILENCE)

    # What a trunk or its absence does.
    UNKNOWN_SOURCE = Cause(
        "unknown_source", 403, 21, Side.CALLER, True, "calls from this address are not taken", Heard.UNOBTAINABLE
    )
    CALLER_UNPROVEN = Cause(
        "caller_unproven", 403, 21, Side.CALLER, True, "the caller has not proven who they are", Heard.UNOBTAINABLE
    )
    TRUNK_FULL = Cause(
        "trunk_full", 503, 34, Side.OPERATOR, True, "every line of the trunk is taken", Heard.CONGESTION
    )
    NUMBER_FULL = Cause(
        "number_full", 486, 17, Side.OPERATOR, True, "the number has as many calls as it may have", Heard.BUSY
    )
    NUMBER_RATE = Cause(
        "number_rate",
        480,
        42,
        Side.OPERATOR,
        True,
        "more calls to or from the number come in a minute than may",
        Heard.CONGESTION,
    )
    NODE_LOST = Cause("node_lost", 503, 41, Side.LOCAL, True, "the server that had the call is gone")
    TRUNK_DOWN = Cause("trunk_down", 503, 38, Side.NETWORK, True, "the trunk is down", Heard.AGENT_AGAIN)
    NOT_ALLOWED = Cause(
        "not_allowed", 403, 21, Side.OPERATOR, True, "no trunk may carry a call to this number", Heard.AGENT_AGAIN
    )
    TOLL_BARRED = Cause(
        "toll_barred", 403, 21, Side.OPERATOR, True, "the toll rules do not allow this call", Heard.AGENT_AGAIN
    )
    TOLL_LIMIT = Cause(
        "toll_limit",
        503,
        42,
        Side.OPERATOR,
        True,
        "the toll rules allow no more such calls at present",
        Heard.AGENT_AGAIN,
    )
    BUDGET_SPENT = Cause(
        "budget_spent", 403, 29, Side.OPERATOR, True, "the money for such calls is spent", Heard.HOUSE_TEXT
    )
    CREDENTIALS_REFUSED = Cause(
        "credentials_refused",
        403,
        57,
        Side.OPERATOR,
        True,
        "the other side did not take our credentials",
        Heard.AGENT_AGAIN,
    )
    NAME_NOT_FOUND = Cause(
        "name_not_found",
        502,
        3,
        Side.OPERATOR,
        True,
        "no address was found for the other side's name",
        Heard.AGENT_AGAIN,
    )
    CONNECTION_FAILED = Cause(
        "connection_failed",
        503,
        38,
        Side.NETWORK,
        True,
        "nothing could be sent to the other side",
        Heard.AGENT_AGAIN,
    )

    # What a trunk that wants signed callers (RFC 8224 §6.2.2) says of those that are not.
    IDENTITY_MISSING = Cause(
        "identity_missing", 428, 21, Side.CALLER, True, "the caller's number is not signed", Heard.UNOBTAINABLE
    )
    IDENTITY_STALE = Cause(
        "identity_stale", 403, 21, Side.CALLER, True, "the caller's signature is not fresh", Heard.UNOBTAINABLE
    )
    IDENTITY_UNFETCHED = Cause(
        "identity_unfetched",
        436,
        21,
        Side.CALLER,
        True,
        "the certificate of the caller's signature could not be had",
        Heard.UNOBTAINABLE,
    )
    IDENTITY_UNTRUSTED = Cause(
        "identity_untrusted",
        437,
        21,
        Side.CALLER,
        True,
        "the signer of the caller's number is not believed",
        Heard.UNOBTAINABLE,
    )
    IDENTITY_INVALID = Cause(
        "identity_invalid", 438, 21, Side.CALLER, True, "the caller's signature is wrong", Heard.UNOBTAINABLE
    )
    IDENTITY_WEAK = Cause(
        "identity_weak",
        403,
        21,
        Side.CALLER,
        True,
        "the caller's signature attests too little",
        Heard.UNOBTAINABLE,
    )

    # What other sides say about calls to them.
    PEER_BUSY = Cause("peer_busy", 486, 17, Side.CALLEE, True, "the called party is busy", Heard.AGENT_AGAIN)
    FAX_ANSWERED = Cause("fax_answered", 488, 127, Side.CALLEE, True, "a fax machine answered", Heard.AGENT_AGAIN)
    NUMBER_UNKNOWN = Cause(
        "number_unknown", 404, 1, Side.CALLEE, True, "the other side knows no such number", Heard.AGENT_AGAIN
    )
    NUMBER_GONE = Cause(
        "number_gone", 410, 22, Side.CALLEE, True, "the number is not in use any more", Heard.AGENT_AGAIN
    )
    NUMBER_INCOMPLETE = Cause(
        "number_incomplete", 484, 28, Side.CALLEE, True, "the number is incomplete or wrong", Heard.AGENT_AGAIN
    )
    PEER_MOVED = Cause(
        "peer_moved", 480, 23, Side.CALLEE, True, "the called party is to be called elsewhere", Heard.AGENT_AGAIN
    )
    PEER_FORBIDS = Cause(
        "peer_forbids", 403, 21, Side.CALLEE, True, "the other side does not allow this call", Heard.AGENT_AGAIN
    )
    CALLER_ID_REFUSED = Cause(
        "caller_id_refused",
        403,
        21,
        Side.CALLEE,
        True,
        "the other side does not take our caller id",
        Heard.AGENT_AGAIN,
    )
    UNWANTED = Cause(
        "unwanted", 607, 21, Side.CALLEE, True, "the called party does not want such calls", Heard.AGENT_AGAIN
    )
    PEER_INCOMPATIBLE = Cause(
        "peer_incompatible",
        488,
        79,
        Side.CALLEE,
        True,
        "the other side cannot do what the call needs",
        Heard.AGENT_AGAIN,
    )
    PEER_OVERLOADED = Cause(
        "peer_overloaded",
        503,
        42,
        Side.NETWORK,
        True,
        "the other side takes no calls at present",
        Heard.AGENT_AGAIN,
    )
    PEER_FAILED = Cause("peer_failed", 500, 41, Side.NETWORK, True, "the other side failed", Heard.AGENT_AGAIN)
    LOOP = Cause("loop", 483, 25, Side.NETWORK, True, "the call went round in a circle", Heard.AGENT_AGAIN)
    NETWORK_RELEASED = Cause(
        "network_released",
        480,
        38,
        Side.NETWORK,
        True,
        "the network of the other side ended the call",
        Heard.SILENCE,
    )

    @property
    def reason_header(self) -> str:
        """The value of a Reason header (RFC 3326 §2)."""
        return f'Q.850;cause={self.value.q850};text="{self.value.text}"'


_C = HangupCause
_BY_STATUS: Final = {
    401: _C.CREDENTIALS_REFUSED,
    403: _C.PEER_FORBIDS,
    404: _C.NUMBER_UNKNOWN,
    407: _C.CREDENTIALS_REFUSED,
    408: _C.NO_ANSWER,
    410: _C.NUMBER_GONE,
    428: _C.CALLER_ID_REFUSED,
    429: _C.CALLER_ID_REFUSED,
    433: _C.CALLER_ID_REFUSED,
    436: _C.CALLER_ID_REFUSED,
    437: _C.CALLER_ID_REFUSED,
    438: _C.CALLER_ID_REFUSED,
    480: _C.NO_ANSWER,
    482: _C.LOOP,
    483: _C.LOOP,
    484: _C.NUMBER_INCOMPLETE,
    485: _C.NUMBER_INCOMPLETE,
    486: _C.PEER_BUSY,
    487: _C.NO_ANSWER,
    488: _C.NOT_ACCEPTABLE,
    415: _C.NOT_ACCEPTABLE,
    503: _C.PEER_OVERLOADED,
    504: _C.UNREACHABLE,
    600: _C.PEER_BUSY,
    604: _C.NUMBER_UNKNOWN,
    606: _C.NOT_ACCEPTABLE,
    607: _C.UNWANTED,
    608: _C.UNWANTED,
}
_BY_CLASS: Final = {3: _C.PEER_MOVED, 4: _C.PEER_INCOMPATIBLE, 5: _C.PEER_FAILED, 6: _C.PEER_REJECTED}
_BY_Q850: Final = {
    1: _C.NUMBER_UNKNOWN,
    2: _C.NUMBER_UNKNOWN,
    3: _C.NUMBER_UNKNOWN,
    17: _C.PEER_BUSY,
    18: _C.NO_ANSWER,
    19: _C.NO_ANSWER,
    20: _C.NO_ANSWER,
    21: _C.PEER_REJECTED,
    22: _C.NUMBER_GONE,
    23: _C.PEER_MOVED,
    25: _C.LOOP,
    27: _C.UNREACHABLE,
    28: _C.NUMBER_INCOMPLETE,
    34: _C.PEER_OVERLOADED,
    38: _C.PEER_FAILED,
    41: _C.PEER_FAILED,
    42: _C.PEER_OVERLOADED,
    44: _C.PEER_OVERLOADED,
    47: _C.PEER_OVERLOADED,
    55: _C.PEER_FORBIDS,
    57: _C.PEER_FORBIDS,
    65: _C.NOT_ACCEPTABLE,
    79: _C.PEER_INCOMPATIBLE,
    88: _C.NOT_ACCEPTABLE,
    102: _C.UNREACHABLE,
    111: _C.PEER_FAILED,
    127: _C.PEER_FAILED,
}
_VAGUE: Final = frozenset({480, 500, 503, 603})
"""Statuses that gateways put almost anything into: there the Q.850 cause knows better."""
_BROKEN: Final = frozenset({27, 34, 38, 41, 42, 43, 44, 47, 102, 111, 127})
"""With these a network ends a call, not a person."""


def cause_of_refusal(status: int, q850: int = 0) -> HangupCause:
    """Why a call of ours was refused: by its final ``status`` (300-699) and the Q.850 cause of its Reason, or 0."""
    if q850 in _BY_Q850 and status >= 400 and (status in _VAGUE or status not in _BY_STATUS):
        return _BY_Q850[q850]
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, HangupCause.PEER_FAILED)


def cause_of_release(q850: int) -> HangupCause:
    """Why a peer hung up: people do, unless the Q.850 cause of its BYE says that a network had to."""
    return HangupCause.NETWORK_RELEASED if q850 in _BROKEN else HangupCause.CALLER_HANGUP
