"""From the words of SIP to the catalogue of hang-up causes, and back."""

from __future__ import annotations

from typing import assert_never

from voicegw.base.causes import HangupCause, cause_of_refusal, cause_of_release
from voicegw.sip.events import CallEnded, EndedBy
from voicegw.sip.reason import q850_cause


def cause_of(ended: CallEnded, ours: HangupCause | None) -> HangupCause:
    """Why a leg ended; ``ours`` is the cause that we were given if we ended it."""
    match ended.ended_by:
        case EndedBy.LOCAL_BYE | EndedBy.LOCAL_CANCEL | EndedBy.LOCAL_REFUSAL:
            return ours or HangupCause.INTERNAL_ERROR
        case EndedBy.REMOTE_BYE:
            return cause_of_release(q850_cause(ended.headers))
        case EndedBy.REMOTE_CANCEL:
            return HangupCause.CALLER_CANCELLED
        case EndedBy.REMOTE_REFUSAL:
            return cause_of_refusal(ended.status, q850_cause(ended.headers))
        case EndedBy.NO_ACK | EndedBy.NO_PRACK:
            return HangupCause.NO_ACK
        case EndedBy.NO_RESPONSE:
            return HangupCause.UNREACHABLE
        case EndedBy.SESSION_EXPIRED:
            return HangupCause.SESSION_EXPIRED
        case EndedBy.TRANSPORT_ERROR:
            return HangupCause.CONNECTION_FAILED
        case EndedBy.NO_ANSWER:
            return HangupCause.NO_ANSWER
        case EndedBy.DIALOG_LOST | EndedBy.PEER_ERROR:
            return HangupCause.PEER_ERROR
        case _:
            assert_never(ended.ended_by)


def refusal_status(cause: HangupCause) -> int:
    """The status for an INVITE that is not answered, also for a cause that is no refusal by itself."""
    status = cause.value.sip_status
    return status if status >= 300 else 480


def reason_text(ended: CallEnded) -> str:
    """What the peer said about the end."""
    if ended.ended_by in (EndedBy.REMOTE_BYE, EndedBy.REMOTE_CANCEL):
        return ended.headers.get("Reason") or ""
    if ended.ended_by is EndedBy.REMOTE_REFUSAL:
        return ended.headers.get("Reason") or ended.reason
    return ""
