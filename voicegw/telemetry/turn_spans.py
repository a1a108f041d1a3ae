"""Turns as spans: the caller's speech, the stages up to the first audio of the answer, and the answer.

Nothing that was said is in them.
"""

from __future__ import annotations

from voicegw.call.facts import AgentSpoke, CallerSpoke, TurnWasTimed
from voicegw.telemetry.span import Draft, ours


class TurnSpans:
    """Makes a span of every turn as its facts come."""

    def __init__(self) -> None:
        self.turns: list[Draft] = []
        self.unasked: list[Draft] = []
        """What the agent said before the first turn."""
        self._timed: TurnWasTimed | None = None

    def take(self, fact: CallerSpoke | TurnWasTimed | AgentSpoke) -> None:
        """The next fact; how long a turn took is told right before what was said in it."""
        match fact:
            case TurnWasTimed():
                self._timed = fact
            case CallerSpoke():
                timed, self._timed = self._timed, None
                self.turns.append(_turn(fact, timed, len(self.turns) + 1))
            case AgentSpoke():
                self._answered(fact)

    def host(self, at_ms: float) -> Draft | None:
        """The turn that work belongs to which began at ``at_ms``, or the stage of it where the agent thinks."""
        turn = next((one for one in reversed(self.turns) if one.covers(at_ms)), None)
        if turn is None:
            return None
        return next((one for one in turn.children if one.name == "agent" and one.covers(at_ms)), turn)

    def _answered(self, fact: AgentSpoke) -> None:
        speech = Draft("agent speech", fact.started_ms, fact.ended_ms)
        speech.attributes |= ours({"utterance.id": fact.utterance_id, "interrupted": fact.interrupted})
        turn = next((one for one in reversed(self.turns) if one.start_ms <= fact.started_ms), None)
        if turn is None:
            self.unasked.append(speech)
            return
        turn.children.append(speech)
        turn.end_ms = max(turn.end_ms or 0.0, fact.ended_ms)


def _turn(spoken: CallerSpoke, timed: TurnWasTimed | None, number: int) -> Draft:
    turn = Draft("turn", spoken.started_ms, spoken.ended_ms)
    told = {"turn.number": number, "turn.by": "keys" if spoken.digits else "speech"}
    turn.attributes |= ours({**told, "asr.confidence": round(spoken.confidence, 3)})
    if spoken.ended_ms > spoken.started_ms:
        turn.children.append(Draft("caller speech", spoken.started_ms, spoken.ended_ms))
    if timed is not None:
        turn.attributes |= ours(
            {
                "turn.latency_ms": timed.total_ms,
                "turn.waited_ms": timed.waited_ms,
                "turn.speculated": timed.speculated,
            }
        )
        turn.children += _stages(timed, spoken.ended_ms)
        turn.end_ms = spoken.ended_ms + max(0.0, timed.total_ms)
    return turn


def _stages(timed: TurnWasTimed, begin_ms: float) -> list[Draft]:
    """One after the other. What was prepared ahead has a length of 0, at the moment when it was ready."""
    stages = []
    for name, took_ms in (
        ("endpointing", timed.endpointing_ms),
        ("asr", timed.asr_ms),
        ("agent", timed.agent_ms),
        ("tts", timed.tts_ms),
        ("playout", timed.playout_ms),
    ):
        end_ms = begin_ms + took_ms
        stages.append(Draft(name, min(begin_ms, end_ms), end_ms))
        begin_ms = end_ms
    return stages
