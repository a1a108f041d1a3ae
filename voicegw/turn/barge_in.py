"""Was that an interruption? The playout is already paused; this decides between cutting it and going on.

Pausing at once and judging afterwards makes a cough cost a short gap instead of the sentence, and a real
interruption cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What to do with the paused playout."""

    CONFIRM = "confirm"
    REJECT = "reject"
    WAIT = "wait"


BACK_CHANNELS = frozenset(
    {
        "uh-huh",
        "uh",
        "huh",
        "mm-hm",
        "mm",
        "mhm",
        "hm",
        "hmm",
        "um",
        "ah",
        "aha",
        "oh",
        "okay",
        "ok",
        "right",
        "sure",
    }
)
"""Words that say "I am listening", not "stop"."""


@dataclass(frozen=True, slots=True)
class BargeInConfig:
    """How an interruption is told from a noise."""

    min_words: int = 1
    """Recognised words, back-channels not counted, that confirm at once."""
    confirm_ms: int = 700
    """Unbroken speech of this length confirms even without a recognised word. A cough lasts 200–500 ms."""
    decide_ms: int = 350
    """After a shorter sound the recogniser has this long to produce a word; then the agent goes on."""


def content_words(text: str) -> int:
    """How many words of ``text`` are more than a back-channel."""
    return sum(1 for word in text.lower().split() if word.strip(".,!?") not in BACK_CHANNELS)


def judge(config: BargeInConfig, text: str, *, still_speaking: bool, overdue: bool) -> Verdict:
    """Words confirm at once. At the deadline (``overdue``) a caller who still makes a sound has interrupted, and
    one who has fallen silent without a word has not. Whether it is overdue is the timer's word, never a
    difference of floats: a deadline that fires must decide."""
    if content_words(text) >= config.min_words:
        return Verdict.CONFIRM
    if not overdue:
        return Verdict.WAIT
    return Verdict.CONFIRM if still_speaking else Verdict.REJECT
