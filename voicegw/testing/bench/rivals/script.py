"""What every caller does, whatever the system: hear the greeting, ask, interrupt the answers, hang up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.testing.bench._wire import Heard, speech_bounds
from voicegw.testing.bench.rivals.line import Line, audible_after, audible_before, until

_QUIET_S: Final = 0.5
"""An agent that has been silent for this long has finished."""
_INTERRUPT_AFTER_S: Final = (0.8, 1.1, 0.95, 1.25)
"""Into the agent's answer; not always the same place of a frame."""
_TAIL_S: Final = 0.06
"""An agent heard this shortly before the caller's last sound has not let them finish."""
_PATIENCE_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """One line of a caller as they heard it, in monotonic seconds.

    ``stopped_at`` is when the agent fell silent after an interruption, None for a line said into silence;
    ``talked_over`` whether the agent was still speaking, or again, when the caller ended.
    """

    onset_at: float
    end_at: float
    answer_at: float
    stopped_at: float | None
    talked_over: bool

    @property
    def response_ms(self) -> float:
        """From the caller's last sound to the agent's first."""
        return (self.answer_at - self.end_at) * 1000

    @property
    def stop_ms(self) -> float | None:
        """From the caller's first sound to the agent's last."""
        return None if self.stopped_at is None else (self.stopped_at - self.onset_at) * 1000


def date_line(heard: Sequence[Heard], onset: float, end: float, *, interrupts: bool) -> Spoken | None:
    """The facts of a line said from ``onset`` to ``end``; None while nothing has answered it."""
    answer = audible_after(heard, end)
    if answer is None:
        return None
    last = audible_before(heard, end)
    talked_over = last is not None and last.at > end - _TAIL_S
    stopped = None
    if interrupts:
        stopped = last.at if last is not None and last.at > onset else onset
    return Spoken(onset, end, answer.at, stopped, talked_over)


async def converse(line: Line, lines: Sequence[NDArray[np.int16]], number: int, spoken: list[Spoken]) -> None:
    """Speak ``lines``: the first into silence, the others in mid-word of the answer; raises LocalError.

    Each is added to ``spoken`` when it has been answered. ``number`` is the caller's.
    """
    since = 0.0
    for index, pcm in enumerate(lines):
        interrupts = index > 0
        after_s = _INTERRUPT_AFTER_S[(number + index) % len(_INTERRUPT_AFTER_S)]
        await _wait_turn(line, since, after_s if interrupts else None)
        answered = await _speak(line, pcm, interrupts=interrupts)
        spoken.append(answered)
        since = answered.answer_at - 0.001


async def _wait_turn(line: Line, since: float, interrupt_after_s: float | None) -> None:
    await until(line, lambda: audible_after(line.heard(), since) is not None, _PATIENCE_S, "the agent speaks")
    if interrupt_after_s is None:
        await until(
            line,
            lambda: audible_after(line.heard(), time.monotonic() - _QUIET_S) is None,
            _PATIENCE_S,
            "the agent falls silent",
        )
        return
    first = audible_after(line.heard(), since)
    assert first is not None
    await asyncio.sleep(max(0.0, first.at + interrupt_after_s - time.monotonic()))
    # In the middle of a word: in a pause between words there is nothing to stop.
    await until(
        line,
        lambda: audible_after(line.heard(), time.monotonic() - 0.03) is not None,
        _PATIENCE_S,
        "the agent is in mid-word",
    )


async def _speak(line: Line, pcm: NDArray[np.int16], *, interrupts: bool) -> Spoken:
    first, last = speech_bounds(pcm)
    said = line.say(pcm)
    await until(line, lambda: said.done, _PATIENCE_S, "the caller speaks")
    onset, end = said.time_of(first), said.time_of(last)
    await until(line, lambda: audible_after(line.heard(), end) is not None, _PATIENCE_S, "the agent answers")
    spoken = date_line(line.heard(), onset, end, interrupts=interrupts)
    assert spoken is not None
    return spoken
