"""Was that an interruption? The playout is already paused; this decides between cutting it and going on.

Pausing at once and judging afterwards makes a cough cost a short gap instead of the sentence, and a real
interruption cost nothing. What the sound was is :mod:`voicegw.turn.back_channels`' word; this adds the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from voicegw.turn.back_channels import BackChannelConfig, Heard, Hearing, hearing


class Verdict(Enum):
    """What to do with the paused playout."""

    CONFIRM = "confirm"
    REJECT = "reject"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class BargeInConfig:
    """How an interruption is told from a noise and from "I am listening"."""

    words: BackChannelConfig = field(default_factory=BackChannelConfig)
    """What counts as a word, and what as a back-channel."""
    settle_ms: int = 1200
    """Words heard sooner are a recogniser's first guesses, and "o-" may become "okay" or "over": the playout is
    paused all the while, so that waiting costs the caller nothing."""
    confirm_ms: int = 1200
    """A sound still going on after this long is an interruption even without a recognised word. A cough lasts
    200–500 ms, "okay, okay" up to 900, and the end is known up to 330 ms later."""
    overlap_ms: int = 950
    """A caller who spoke already when the agent's first words began may speak on this long until they stop."""
    decide_ms: int = 450
    """After the end of a shorter sound the recogniser has this long to produce a word, unless it says that none
    will come; then the agent goes on."""
    late_answer_ms: int = 1200
    """A back-channel that ended at most this long before the agent's last word answers it: "yes" overlaps the end
    of a question as often as not."""


def judge(config: BargeInConfig, heard: Heard, language: str, *, settled: bool, overdue: bool) -> Verdict:
    """Words confirm once they have ``settled``, a back-channel that is over is none. At the deadline (``overdue``)
    a caller who still makes a sound has interrupted, and one who has fallen silent without a word has not. Whether
    it is time is the timer's word, never a difference of floats: a deadline that fires must decide."""
    if heard.still_speaking and not settled:
        return Verdict.WAIT
    kind = hearing(config.words, heard, language)
    if kind is Hearing.REAL:
        return Verdict.CONFIRM
    if kind is Hearing.BACK_CHANNEL and not heard.still_speaking:
        return Verdict.REJECT
    if not overdue:
        return Verdict.WAIT
    return Verdict.CONFIRM if heard.still_speaking or kind is Hearing.UNDECIDED else Verdict.REJECT


def may_be_back_channel(config: BargeInConfig, text: str, language: str) -> bool:
    """Whether the words so far are one, or may become one."""
    kind = hearing(config.words, Heard(text, 0.0), language)
    return kind in (Hearing.BACK_CHANNEL, Hearing.UNDECIDED)


def is_back_channel(config: BargeInConfig, heard: Heard, language: str) -> bool:
    """Whether all that was heard says no more than "I am listening"."""
    return hearing(config.words, heard, language) is Hearing.BACK_CHANNEL
