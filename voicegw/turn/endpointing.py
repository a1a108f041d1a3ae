"""How long a silence must be before it ends the turn of *this* caller.

People differ more than any single threshold allows for: one pauses 200 ms inside a sentence, another 800. The
pauses that turned out to lie inside a turn (the caller went on) are remembered, the newest few; the threshold is
a high quantile of them plus a margin. Before there are any, and beside them afterwards, stand the pauses of an
ordinary speaker, so that one odd pause moves the threshold a little and none can move it beyond its limits.

Three things override what was learned: a number being dictated is waited for longer, a complete answer is not
waited for, and a model that hears the end of a turn moves the wait between the limits. Times are milliseconds of
silence, counted from the last speech.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TYPICAL_PAUSES_MS = (150, 200, 240, 280, 320, 370, 420, 480, 550, 600)
"""Pauses inside a turn of an ordinary telephone caller; weigh as much as the same number of observed ones."""


@dataclass(frozen=True, slots=True)
class EndpointingConfig:
    """Limits and weights. Milliseconds unless a name says otherwise."""

    shortest_ms: int = 350
    """The threshold never falls below this: a stop consonant and the detector's own delay take that long."""
    longest_ms: int = 1200
    """Nor rises above this by learning: a caller who pauses longer would wait too long after every turn."""
    margin_ms: int = 100
    """On top of the quantile."""
    quantile: float = 0.9
    """The share of pauses that must not end the turn."""
    remembered: int = 20
    """Observed pauses that count; older ones are forgotten, so that a changed situation is learned anew."""
    complete_ms: int = 400
    """At most this long once the answer is complete."""
    patient_ms: int = 1300
    """At least this long while a number is dictated and not complete."""
    sure_ms: int = 250
    """What a model that is certain of the end may shorten the wait to."""
    deadline_ms: int = 2000
    """Never longer, whatever was learned and whatever a model says."""
    fluent_ms: int = 1500
    """Speech this long without a pause is evidence too: this caller does not need long pauses."""
    max_turn_ms: int = 20_000
    """A turn longer than this is ended: a radio or a noisy line must not silence the agent for ever."""


@dataclass(frozen=True, slots=True)
class PauseMemory:
    """The newest pauses inside this caller's turns, oldest first. Immutable; keep it for the whole call."""

    pauses_ms: tuple[int, ...] = ()

    def paused(self, config: EndpointingConfig, pause_ms: float) -> PauseMemory:
        """The caller fell silent for ``pause_ms`` and went on with the same turn.

        Also when the turn had been ended by then and the reply was taken back before it was heard. What is longer
        than the deadline was a new turn and is not learned.
        """
        if not 0 < pause_ms <= config.deadline_ms:
            return self
        return self._with(config, round(pause_ms))

    def spoke(self, config: EndpointingConfig, speech_ms: float) -> PauseMemory:
        """A stretch of speech of ``speech_ms`` without a pause ended the turn."""
        return self._with(config, TYPICAL_PAUSES_MS[0]) if speech_ms >= config.fluent_ms else self

    def threshold_ms(self, config: EndpointingConfig) -> int:
        """The silence after which this caller has probably finished, between the limits."""
        pauses = sorted((*TYPICAL_PAUSES_MS, *self.pauses_ms))
        rank = max(math.ceil(config.quantile * len(pauses)) - 1, 0)
        return _between(config.shortest_ms, pauses[rank] + config.margin_ms, config.longest_ms)

    def _with(self, config: EndpointingConfig, pause_ms: int) -> PauseMemory:
        kept = (*self.pauses_ms, pause_ms)[-config.remembered :] if config.remembered else ()
        return PauseMemory(kept)


@dataclass(frozen=True, slots=True)
class TurnSoFar:
    """What is known while the caller is silent.

    ``complete``: the words answer the question in full. ``patient``: a number or a name is dictated.
    ``end_probability``: of an end-of-turn model, 0 to 1, or None without one.
    """

    complete: bool = False
    patient: bool = False
    end_probability: float | None = None


def silence_needed_ms(config: EndpointingConfig, memory: PauseMemory, turn: TurnSoFar) -> int:
    """Milliseconds of silence that end the turn: never more than the deadline, never less than ``sure_ms``.

    A complete answer ends early even if a model doubts it: the grammar knows what was asked. While a number is
    dictated a model may lengthen the wait but not shorten it: every group of digits sounds like an end.
    """
    learned = memory.threshold_ms(config)
    if turn.complete:
        wait = _leaning(min(learned, config.complete_ms), config.sure_ms, config.complete_ms, turn.end_probability)
    elif turn.patient:
        base = max(learned, config.patient_ms)
        wait = _leaning(base, base, config.deadline_ms, turn.end_probability)
    else:
        wait = _leaning(learned, config.sure_ms, config.longest_ms, turn.end_probability)
    return min(wait, config.deadline_ms)


def _leaning(base: int, sure: int, unsure: int, probability: float | None) -> int:
    """``base`` at a probability of one half, ``sure`` at 1, ``unsure`` at 0, and straight lines between."""
    if probability is None or math.isnan(probability):
        return base
    lean = 2 * min(max(probability, 0.0), 1.0) - 1
    target = sure if lean > 0 else unsure
    if (target > base) == (lean > 0) and target != base:
        return base
    return round(base + (target - base) * abs(lean))


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
