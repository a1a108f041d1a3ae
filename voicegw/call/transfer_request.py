"""What a transfer is asked for, and what can come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId


class TransferKind(Enum):
    """How the caller is moved."""

    BRIDGED = "bridged"
    ATTENDED = "attended"
    BLIND = "blind"


class TransferFailure(Enum):
    """Why the agent has the caller back."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    HUNG_UP = "hung_up"
    UNREACHABLE = "unreachable"
    NOT_POSSIBLE = "not_possible"
    CALLER_GONE = "caller_gone"
    FAILED = "failed"


class Comfort(Enum):
    """What a waiting caller hears."""

    NONE = "none"
    RINGBACK = "ringback"
    REASSURANCE = "reassurance"


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """``target`` as the agent called it; ``leg_id`` of the leg to it, should there be one.

    ``summary`` is spoken to the target of an attended transfer and written to every target that we call ourselves;
    ``details`` are the values that the agent collected. ``can_refer``: the caller's side may know REFER.
    ``leave``: we are to go once caller and target talk.
    """

    kind: TransferKind
    target: str
    uri: str
    leg_id: LegId
    summary: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    can_refer: bool = False
    leave: bool = False


_BY_STATUS: Final = {
    403: TransferFailure.REFUSED,
    404: TransferFailure.UNREACHABLE,
    408: TransferFailure.NO_ANSWER,
    410: TransferFailure.UNREACHABLE,
    480: TransferFailure.NO_ANSWER,
    484: TransferFailure.UNREACHABLE,
    486: TransferFailure.BUSY,
    487: TransferFailure.NO_ANSWER,
    600: TransferFailure.BUSY,
    603: TransferFailure.REFUSED,
    604: TransferFailure.UNREACHABLE,
}
_BY_CAUSE: Final = {
    HangupCause.CALLER_HANGUP: TransferFailure.HUNG_UP,
    HangupCause.NO_ANSWER: TransferFailure.NO_ANSWER,
    HangupCause.UNREACHABLE: TransferFailure.UNREACHABLE,
    HangupCause.PEER_REJECTED: TransferFailure.REFUSED,
    HangupCause.PEER_FORBIDS: TransferFailure.REFUSED,
    HangupCause.UNWANTED: TransferFailure.REFUSED,
    HangupCause.PEER_BUSY: TransferFailure.BUSY,
    HangupCause.NETWORK_RELEASED: TransferFailure.HUNG_UP,
    HangupCause.NUMBER_UNKNOWN: TransferFailure.UNREACHABLE,
    HangupCause.NUMBER_GONE: TransferFailure.UNREACHABLE,
    HangupCause.NUMBER_INCOMPLETE: TransferFailure.UNREACHABLE,
    HangupCause.NAME_NOT_FOUND: TransferFailure.UNREACHABLE,
    HangupCause.CONNECTION_FAILED: TransferFailure.UNREACHABLE,
    HangupCause.TRUNK_DOWN: TransferFailure.UNREACHABLE,
    HangupCause.TRUNK_FULL: TransferFailure.NOT_POSSIBLE,
    HangupCause.NOT_ALLOWED: TransferFailure.NOT_POSSIBLE,
    HangupCause.TOLL_BARRED: TransferFailure.NOT_POSSIBLE,
    HangupCause.TOLL_LIMIT: TransferFailure.NOT_POSSIBLE,
    HangupCause.BUDGET_SPENT: TransferFailure.NOT_POSSIBLE,
}


def failure_of(cause: HangupCause, sip_status: int) -> TransferFailure:
    """Why a target's leg ended, from its cause and the status that refused the INVITE (0 for none)."""
    if sip_status in _BY_STATUS:
        return _BY_STATUS[sip_status]
    return _BY_CAUSE.get(cause, TransferFailure.FAILED)


def failure_of_status(sip_status: int) -> TransferFailure:
    """Why a target did not take a referred call, from the status in its NOTIFY (RFC 3515 §2.4.5)."""
    return _BY_STATUS.get(sip_status, TransferFailure.FAILED)
