"""A turn as the wire saw it, split into stages by what the node wrote down about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from voicegw.call.facts import AgentSpoke, CallWasOffered, Entry, TurnWasTimed
from voicegw.testing.bench._turn_calls import Talk, WireTurn

STAGES: Final = ("hearing", "endpointing", "asr", "agent", "tts", "playout", "lead_in")
"""Hearing: from the caller's last sound on the wire to the end of speech as the node dates it (jitter buffer and
detector). Lead-in: from the answer's first packet to its first audible one."""
_MATCH_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class TimedTurn:
    """A turn in milliseconds: all of it, and the stages. ``waited_ms`` of it are the silence that the policy of
    endpointing asked for; ``speculated``: the answer was prepared before the turn was over."""

    total_ms: float
    waited_ms: float
    stages: dict[str, float]
    speculated: bool = False

    @property
    def added_ms(self) -> float:
        """The part that nobody wanted."""
        return self.total_ms - self.waited_ms

    @property
    def after_decision_ms(self) -> float:
        """From the decision that the turn is over to the first audible packet."""
        return self.total_ms - self.stages["hearing"] - self.stages["endpointing"]


@dataclass(slots=True)
class Result:
    """Everything measured."""

    turns: list[TimedTurn] = field(default_factory=list)
    stops_ms: list[float] = field(default_factory=list)
    unmatched: int = 0
    failures: list[str] = field(default_factory=list)


def time_turn(turn: WireTurn, log: Sequence[Entry], wall_offset_s: float) -> TimedTurn | None:
    """Split a turn by what the node wrote down; None if it wrote nothing that fits.

    ``wall_offset_s`` is wall less monotonic time: a log counts from the moment of its first fact.
    """
    offered = next(entry.data for entry in log if isinstance(entry.data, CallWasOffered))
    start = datetime.fromisoformat(offered.started_at).timestamp() - wall_offset_s

    def distance(position_ms: float) -> float:
        return abs(start + position_ms / 1000 - turn.answer_at)

    timings = [entry for entry in log if isinstance(entry.data, TurnWasTimed)]
    entry = min(timings, key=lambda candidate: distance(candidate.at_ms), default=None)
    if entry is None or distance(entry.at_ms) > _MATCH_S or not isinstance(entry.data, TurnWasTimed):
        return None
    timing = entry.data
    # The log dates the answer's first packet and the stages before it; the rest lies before and after them.
    answers = [e.data.started_ms for e in log if isinstance(e.data, AgentSpoke)]
    begun = start + min(answers, key=lambda at: abs(at - entry.at_ms)) / 1000
    lead_in = (turn.answer_at - begun) * 1000
    total = (turn.answer_at - turn.end_at) * 1000
    stages = {
        "hearing": total - timing.total_ms - lead_in,
        "endpointing": timing.endpointing_ms,
        "asr": timing.asr_ms,
        "agent": timing.agent_ms,
        "tts": timing.tts_ms,
        "playout": timing.playout_ms,
        "lead_in": lead_in,
    }
    return TimedTurn(total, timing.waited_ms, stages, timing.speculated)


def compare(talk: Talk, logs: dict[str, list[Entry]]) -> Result:
    """What the callers measured beside what the node wrote down, by the callers' numbers."""
    result = Result(failures=list(talk.failures))
    for number, turns in talk.turns.items():
        log = logs.get(number, [])
        for turn in turns:
            timed = time_turn(turn, log, talk.wall_offset_s) if log else None
            if timed is None:
                result.unmatched += 1
            else:
                result.turns.append(timed)
            if turn.stopped_at is not None:
                result.stops_ms.append((turn.stopped_at - turn.onset_at) * 1000)
    return result
