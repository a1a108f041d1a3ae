"""What a leg can be in, and what a call is in: the first is stored, the second is always derived from the legs."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from voicegw.base.fsm import TransitionTable


class LegRole(Enum):
    """What a leg is in its call."""

    CALLER = "caller"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    CALLEE = "callee"


class Control(Enum):
    """Who talks with the caller."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    BRIDGED = "bridged"
    QUEUED = "queued"
    RECORDED = "recorded"
    """Nobody of ours does: others talk, and we are sent what they say (SIPREC)."""


class LegState(Enum):
    """Where a leg is between its INVITE and its end (RFC 7092 calls the pair of dialog and media a leg)."""

    TRYING = "trying"
    RINGING = "ringing"
    EARLY_MEDIA = "early_media"
    CONNECTED = "connected"
    HELD = "held"
    ENDING = "ending"
    ENDED = "ended"


class LegTrigger(Enum):
    """What moves a leg."""

    RING = "ring"
    PROGRESS = "progress"
    RETRY = "retry"
    ANSWER = "answer"
    HOLD = "hold"
    RESUME = "resume"
    END = "end"
    GONE = "gone"


_S = LegState
_T = LegTrigger
_ALIVE = (_S.TRYING, _S.RINGING, _S.EARLY_MEDIA, _S.CONNECTED, _S.HELD)

LEG_TABLE: TransitionTable[LegState, LegTrigger] = TransitionTable(
    "leg",
    {
        (_S.TRYING, _T.RING): _S.RINGING,
        (_S.TRYING, _T.PROGRESS): _S.EARLY_MEDIA,
        (_S.RINGING, _T.PROGRESS): _S.EARLY_MEDIA,
        **{(state, _T.RETRY): _S.TRYING for state in (_S.TRYING, _S.RINGING, _S.EARLY_MEDIA)},
        (_S.TRYING, _T.ANSWER): _S.CONNECTED,
        (_S.RINGING, _T.ANSWER): _S.CONNECTED,
        (_S.EARLY_MEDIA, _T.ANSWER): _S.CONNECTED,
        (_S.CONNECTED, _T.HOLD): _S.HELD,
        (_S.HELD, _T.RESUME): _S.CONNECTED,
        **{(state, _T.END): _S.ENDING for state in _ALIVE},
        **{(state, _T.GONE): _S.ENDED for state in (*_ALIVE, _S.ENDING)},
    },
)


class CallState(Enum):
    """Derived from the legs by :func:`call_state`, never stored."""

    OFFERED = "offered"
    ACTIVE = "active"
    ENDING = "ending"
    ENDED = "ended"


def call_state(legs: Iterable[LegState]) -> CallState:
    """The state of a call with these legs."""
    states = set(legs)
    if states <= {_S.ENDED}:
        return CallState.ENDED
    if states & {_S.CONNECTED, _S.HELD}:
        return CallState.ACTIVE
    if states & {_S.TRYING, _S.RINGING, _S.EARLY_MEDIA}:
        return CallState.OFFERED
    return CallState.ENDING
