"""The facts of a call, for tests of everything that stores them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from voicegw.base.ids import CallId, UtteranceId
from voicegw.call.facts import (
    AgentSpoke,
    AnyFact,
    CallerBargedIn,
    CallerSpoke,
    CallHasEnded,
    CallWasAnswered,
    CallWasOffered,
    CallWasRouted,
    Entry,
    MediaWasMeasured,
    RecordingHasEnded,
    SlotWasFilled,
    SupervisorHasJoined,
    TurnWasTimed,
)

STARTED_WALL_MS = 1_767_261_600_000
"""The first of January 2026, 10:00 UTC."""


def sample_call(
    number: int = 0,
    *,
    turns: int = 2,
    calling: str = "+49301234",
    called: str = "100",
    said: str = "I want a table",
) -> list[Entry]:
    """Call ``c<number>``, which began ``number`` seconds after the first."""
    facts = _facts(number, turns, calling, called, said)
    return [Entry(seq, seq * 100.0, fact) for seq, fact in enumerate(facts)]


def call_id(number: int = 0) -> CallId:
    """Its id."""
    return CallId(f"c{number}")


def _facts(number: int, turns: int, calling: str, called: str, said: str) -> Iterator[AnyFact]:
    started = datetime.fromtimestamp(STARTED_WALL_MS / 1000 + number, UTC).isoformat()
    yield CallWasOffered(call_id(number), f"sip-{number}@peer", called, calling, "Ann Müller", started)
    yield CallWasRouted("everything", "reception")
    yield CallWasAnswered("PCMA", "192.0.2.1:4000")
    for turn in range(turns):
        at = 1000.0 * turn
        utterance = UtteranceId(f"u{turn}")
        yield CallerSpoke(f"{said}, part {turn}", 0.9, "", at, at + 400)
        yield TurnWasTimed(1, 2, 3, 4, 5, 15.0 + turn)
        yield AgentSpoke(utterance, "For how many persons?", "For how many", False, turn == 1, at + 500, at + 900)
        if turn == 1:
            yield CallerBargedIn(utterance, 120.0, "voice")
    yield SupervisorHasJoined("sam")
    yield SlotWasFilled("name", "Fernández", True)
    yield RecordingHasEnded(f"/recordings/c{number}.wav", 16000, 0)
    yield MediaWasMeasured(90, 90, 0, 0, 0, 1.0, "supervisor", 4.4, 20.0, "sam", "", 3, 2.5, 4.1)
    yield MediaWasMeasured(100, 98, 2, 1, 0, 3.5, mos=3.9)
    yield CallHasEnded("caller_hangup", "caller", False, 16, "the caller hung up", 1000.0 * turns)
