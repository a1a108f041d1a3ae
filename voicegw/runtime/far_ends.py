"""What far ends, and trunks on the way there, do besides talking, for the record: it is carried out already."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from voicegw.call import facts as f
from voicegw.gateway.events import (
    LegBarred,
    LegKeysSent,
    LegMessage,
    LegReferralFailed,
    LegReferred,
    LegReplaced,
    LegTrunkFailed,
)

FarEndChange: TypeAlias = (
    LegReferred | LegReferralFailed | LegReplaced | LegMessage | LegKeysSent | LegTrunkFailed | LegBarred
)


def fact_of(change: FarEndChange, leg: str) -> f.AnyFact:
    """The fact; ``leg`` is the role of the leg."""
    match change:
        case LegReferred(_, target, allowed):
            return f.FarEndWasReferred(leg, target, allowed)
        case LegReferralFailed(_, target, status):
            return f.ReferralHasFailed(leg, target, status)
        case LegReplaced(_, party):
            return f.FarEndWasReplaced(leg, party)
        case LegMessage(_, text):
            return f.MessageWasReceived(leg, text)
        case LegKeysSent(_, digits, status):
            return f.KeysWereSent(leg, digits, "info", status)
        case LegTrunkFailed(_, trunk, cause, status, reason, next_trunk):
            return f.TrunkHasFailed(leg, trunk, cause.value.name, status, reason, next_trunk)
        case LegBarred(_, barred, running, ends):
            return f.CallWasBarred(leg, barred.rule, barred.limit, barred.why, running, ends)
        case _:
            assert_never(change)


def note_of(change: FarEndChange) -> str:
    """What an agent has to know of it where it is the caller's; empty for nothing. Text is answered instead."""
    match change:
        case LegReplaced():
            return "The caller has handed the line to somebody else, who is on it from now on."
        case LegReferred() | LegReferralFailed() | LegMessage() | LegKeysSent() | LegTrunkFailed() | LegBarred():
            return ""
        case _:
            assert_never(change)
