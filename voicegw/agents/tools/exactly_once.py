"""The exactly-once machine: what may happen to one key, as a table, and the rule for running a body again.

The order on the disk is the proof. INTENDED is written and synced before the body may run, the end is written
after it. So after a crash a key that is not in the ledger was not done, one with an end ended so, and one that is
still INTENDED may or may not have been done: the disk cannot tell INTENDED from RUNNING, and does not pretend to.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from voicegw.base.errors import LocalError
from voicegw.base.fsm import TransitionTable
from voicegw.ports.tools import Claim, LedgerEntry, ToolEffect, ToolIntent, ToolResult, ToolStatus

FRESH_READ_S = 30.0
"""Within it, what a reading tool returned still answers the same wish; later it is read again."""
LOST = "the server stopped before the result was known; find out whether it was done before asking for it again"


class RunState(Enum):
    """Where a key stands."""

    INTENDED = "intended"
    """On the disk; the body may run at any moment."""
    RUNNING = "running"
    """The body runs in this process."""
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RunTrigger(Enum):
    """What happens to a key."""

    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE = "lose"
    """Nobody will ever know: a deadline, a dead server, a crash."""
    REPEAT = "repeat"
    """The body is to run again with the same key; see :func:`may_repeat`."""


RUN_TABLE: TransitionTable[RunState, RunTrigger] = TransitionTable(
    "tool run",
    {
        (RunState.INTENDED, RunTrigger.START): RunState.RUNNING,
        (RunState.INTENDED, RunTrigger.LOSE): RunState.UNKNOWN,
        (RunState.INTENDED, RunTrigger.REPEAT): RunState.INTENDED,
        (RunState.RUNNING, RunTrigger.SUCCEED): RunState.DONE,
        (RunState.RUNNING, RunTrigger.FAIL): RunState.FAILED,
        (RunState.RUNNING, RunTrigger.LOSE): RunState.UNKNOWN,
        (RunState.DONE, RunTrigger.REPEAT): RunState.INTENDED,
        (RunState.FAILED, RunTrigger.REPEAT): RunState.INTENDED,
        (RunState.UNKNOWN, RunTrigger.REPEAT): RunState.INTENDED,
    },
)

TRIGGER_OF = {
    ToolStatus.DONE: RunTrigger.SUCCEED,
    ToolStatus.FAILED: RunTrigger.FAIL,
    ToolStatus.UNKNOWN: RunTrigger.LOSE,
}


def state_of(entry: LedgerEntry) -> RunState:
    """Where an entry on the disk stands."""
    return RunState.INTENDED if entry.result is None else RunState(entry.result.status.value)


def may_repeat(entry: LedgerEntry, now_wall: float) -> bool:
    """Whether the body of a key that is in the ledger may run again.

    Never for ONCE. What is done stays done, but for a reading that has gone stale.
    """
    if not entry.intent.effect.repeatable:
        return False
    if state_of(entry) is not RunState.DONE:
        return True
    return entry.intent.effect is ToolEffect.NONE and now_wall - entry.ended_wall > FRESH_READ_S


def decide(existing: LedgerEntry | None, intent: ToolIntent) -> Claim:
    """What a ledger answers to ``intent``, and the entry that it must hold before it answers."""
    if existing is None:
        return Claim(True, LedgerEntry(intent))
    if not intent.effect.repeatable or not may_repeat(existing, intent.at_wall):
        return Claim(False, existing)
    RUN_TABLE.next(state_of(existing), RunTrigger.REPEAT)
    return Claim(True, LedgerEntry(intent, existing.attempts + 1))


def concluded(entry: LedgerEntry, result: ToolResult, now_wall: float) -> LedgerEntry:
    """The entry with its end; LocalError if it has one already."""
    if entry.result is not None:
        raise LocalError(f"the tool call {entry.intent.key} has a result already")
    return replace(entry, result=result, ended_wall=now_wall)


def recovered(entry: LedgerEntry, now_wall: float) -> LedgerEntry:
    """An open entry of a process that is dead: UNKNOWN, unless the body may simply run again."""
    if entry.intent.effect.repeatable:
        return entry
    RUN_TABLE.next(state_of(entry), RunTrigger.LOSE)
    return concluded(entry, ToolResult.unknown(LOST), now_wall)
