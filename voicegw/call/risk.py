"""How much a running call needs a supervisor: a fold of its facts into points with reasons in plain words.

Each kind of sign has a weight, and a cap so that no one kind can hide the others. Nothing is taken back: a call
that went wrong once stays worth a look.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from voicegw.call import facts as f
from voicegw.call.risk_words import EVERY, words_of

ALERT_POINTS: Final = 40
"""A reason with so many points is told to those who watch, once."""
MOST_POINTS: Final = 100
SILENCE_MS: Final = 15_000.0
"""Nobody says anything for so long: a sign."""
LOOP: Final = 3
"""Saying the same so often is a loop; twice is courtesy on a bad line."""
_LOOP_WORDS: Final = 3
"""Shorter sentences ("yes", "thank you") may be said again and again."""
POOR_MOS: Final = 3.1
"""Below it many people are dissatisfied (ITU-T G.109)."""
_POOR_LOSS, _BAD_LOSS = 0.03, 0.10
_word = re.compile(r"[^\W_]+")


class RiskReason(StrEnum):
    """Kinds of signs."""

    FRUSTRATION = "frustration"
    LOOP = "loop"
    PERSON = "person"
    TOOLS = "tools"
    SILENCE = "silence"
    LINE = "line"
    MOS = "mos"
    FAULT = "fault"
    NO_AUDIO = "no_audio"


@dataclass(frozen=True, slots=True)
class Weight:
    """``points`` of one sign, up to ``cap`` in all; ``text`` says it with ``{count}``."""

    points: int
    cap: int
    text: str


WEIGHTS: Final = {
    RiskReason.FRUSTRATION: Weight(25, 75, "the caller sounds frustrated ({count} ×)"),
    RiskReason.LOOP: Weight(20, 60, "the conversation goes in circles ({count} ×)"),
    RiskReason.PERSON: Weight(20, 60, "the caller asks for a person ({count} ×)"),
    RiskReason.TOOLS: Weight(15, 60, "tools or services fail ({count} ×)"),
    RiskReason.SILENCE: Weight(15, 45, "long silence ({count} ×)"),
    RiskReason.LINE: Weight(20, 40, "the line is bad"),
    RiskReason.MOS: Weight(20, 60, "poor sound: MOS {mos:.1f} ({count} × 5 s)"),
    RiskReason.FAULT: Weight(20, 60, "a part of the server fails ({count} ×)"),
    RiskReason.NO_AUDIO: Weight(40, 60, "one side does not hear the other ({count} ×)"),
}


@dataclass(frozen=True, slots=True)
class Sign:
    """What speaks for a look at the call."""

    reason: RiskReason
    points: int
    text: str


class CallRisk:
    """Add every fact of a call in order; :attr:`points` and :attr:`signs` are for the list of calls."""

    def __init__(self) -> None:
        self._counts: Counter[RiskReason] = Counter()
        self._said: Counter[tuple[str, str]] = Counter()
        self._alerted: set[RiskReason] = set()
        self._words = EVERY
        self._quiet_from_ms: float | None = None
        self._worst_mos = 5.0

    @property
    def points(self) -> int:
        """0 to 100."""
        return min(MOST_POINTS, sum(sign.points for sign in self.signs))

    @property
    def signs(self) -> tuple[Sign, ...]:
        """The weightiest first."""
        found = [self._sign(reason) for reason in self._counts]
        return tuple(sorted(found, key=lambda sign: (-sign.points, sign.reason)))

    def add(self, fact: f.AnyFact) -> tuple[Sign, ...]:
        """Take in the next fact; the signs that have just become worth an alert, each once in a call."""
        for reason in self._signs_of(fact):
            self._counts[reason] += 1
        crossed = [sign for sign in self.signs if sign.points >= ALERT_POINTS and sign.reason not in self._alerted]
        self._alerted.update(sign.reason for sign in crossed)
        return tuple(crossed)

    def _sign(self, reason: RiskReason) -> Sign:
        weight, count = WEIGHTS[reason], self._counts[reason]
        text = weight.text.format(count=count, mos=self._worst_mos)
        return Sign(reason, min(weight.cap, weight.points * count), text)

    def _signs_of(self, fact: f.AnyFact) -> Iterator[RiskReason]:
        match fact:
            case f.CallerSpoke():
                yield from self._heard(fact)
            case f.AgentSpoke():
                yield from self._repeated("agent", fact.heard)
                yield from self._silence(fact.started_ms, fact.ended_ms)
            case f.CallerWasSilent():
                yield RiskReason.SILENCE
            case f.WebhookHasReturned() if fact.error or fact.status >= 500:
                yield RiskReason.TOOLS
            case f.ToolHasFailed():
                yield RiskReason.TOOLS
            case f.SpeechHasFailed():
                yield RiskReason.FAULT
            case f.ServiceHasMoved(to) if not to.startswith("model:"):
                yield RiskReason.FAULT
            case f.MediaWasMeasured(leg="caller"):
                yield from self._line(fact)
            case f.MediaQualityHasChanged() if fact.leg != "supervisor":
                yield from self._sound(fact)
            case f.AudioWasMissing() if fact.leg != "supervisor":
                yield RiskReason.NO_AUDIO
            case f.CallWasRouted(languages=languages) if languages:
                self._words = words_of(languages)
            case f.LanguageHasChanged(language):
                self._words = words_of([language])
            case _:
                pass

    def _heard(self, fact: f.CallerSpoke) -> Iterator[RiskReason]:
        said = f" {_plain(fact.text)} "
        if any(f" {phrase} " in said for phrase in self._words.frustration):
            yield RiskReason.FRUSTRATION
        if any(f" {phrase} " in said for phrase in self._words.person):
            yield RiskReason.PERSON
        yield from self._repeated("caller", fact.text)
        yield from self._silence(fact.started_ms, fact.ended_ms)

    def _repeated(self, speaker: str, text: str) -> Iterator[RiskReason]:
        plain = _plain(text)
        if text.startswith("[") or len(plain.split()) < _LOOP_WORDS:
            return
        self._said[speaker, plain] += 1
        if self._said[speaker, plain] >= LOOP:
            yield RiskReason.LOOP

    def _silence(self, started_ms: float, ended_ms: float) -> Iterator[RiskReason]:
        if self._quiet_from_ms is not None and started_ms - self._quiet_from_ms >= SILENCE_MS:
            yield RiskReason.SILENCE
        self._quiet_from_ms = max(ended_ms, self._quiet_from_ms or 0.0)

    def _line(self, fact: f.MediaWasMeasured) -> Iterator[RiskReason]:
        expected = fact.packets_received + fact.packets_lost
        lost = (fact.packets_lost + fact.packets_late) / expected if expected else 0.0
        if lost >= _POOR_LOSS:
            yield RiskReason.LINE
        if lost >= _BAD_LOSS:
            yield RiskReason.LINE

    def _sound(self, fact: f.MediaQualityHasChanged) -> Iterator[RiskReason]:
        """Of the caller, or of whoever they were connected to; in either direction."""
        worst = min(fact.mos, fact.peer_mos or fact.mos)
        if worst < POOR_MOS:
            self._worst_mos = min(self._worst_mos, worst)
            yield RiskReason.MOS


def _plain(text: str) -> str:
    """Lower case words with single spaces."""
    return " ".join(_word.findall(text.lower()))
