"""A frame less or more of what is heard, where the jitter buffer wants one: joined so that nothing clicks.

Two frames become one that begins as the first and ends as the second; or one is heard before itself, beginning as
itself and ending as the frame before it did. In both cases what comes before and after fits, and in between one
fades into the other within 5 ms, where in the frame the two differ least. It is rare: once in seconds at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from voicegw.audio.levels import level_dbov
from voicegw.audio.plc import Concealer
from voicegw.media.filling import Pcm, Rows
from voicegw.rtp.jitter import JitterBank, Pulled

LOOK_TICKS: Final = 10
"""Jitter buffers are asked once in so many ticks."""
_STEPS_PER_FADE: Final = 4
"""The fade may begin at any quarter of its length."""


class Fitting:
    """For the rows of one rate."""

    def __init__(self, jitter: JitterBank, concealer: Concealer) -> None:
        self._jitter = jitter
        self._concealer = concealer
        self._ticks = 0
        self._before: dict[int, Pcm] = {}
        """What the rows play now that are to be made longer in the next tick."""
        self.kept: dict[int, Pcm] = {}
        """What the rows play in the next tick whose jitter buffer stands still in it."""

    def forget(self, row: int) -> None:
        """The row belongs to another leg."""
        self._before.pop(row, None)
        self.kept.pop(row, None)

    def fit(self, rows: Rows, frames: Pcm, pulled: Pulled, following: Callable[[Rows], Pcm]) -> None:
        """Change ``frames`` in place, which is what ``rows`` are about to play, from what was ``pulled``.

        ``following`` takes the next frame of some of them from the jitter buffer and decodes it. To be called every
        tick.
        """
        if self.kept or self._before:
            self._go_on(rows, frames, pulled)
        self._ticks += 1
        if self._ticks % LOOK_TICKS:
            return
        adapted = self._jitter.adapt(rows, level_dbov(frames), LOOK_TICKS)
        if adapted is None:
            return
        if len(adapted.shorter):
            self._play(rows, frames, adapted.shorter, following(rows[adapted.shorter]))
        for place in adapted.longer.tolist():
            self._before[int(rows[place])] = frames[place].copy()

    def _go_on(self, rows: Rows, frames: Pcm, pulled: Pulled) -> None:
        """With what was begun in the tick before."""
        kept, before = self.kept, self._before
        self.kept, self._before = {}, {}
        for place, row in enumerate(rows.tolist()):
            if row in kept:
                frames[place] = kept[row]
                self._concealer.replace(rows[[place]], frames[[place]])
            elif row in before and pulled.present[place].all():
                self.kept[row] = frames[place].copy()
                frames[place] = joined(frames[[place]], before[row][np.newaxis])[0]
                self._concealer.replace(rows[[place]], frames[[place]])
                self._jitter.stand(rows[[place]])

    def _play(self, rows: Rows, frames: Pcm, places: Rows, seconds: Pcm) -> None:
        frames[places] = joined(frames[places], seconds)
        self._concealer.replace(rows[places], frames[places])


def joined(first: Pcm, second: Pcm) -> Pcm:
    """Frames (rows, 20 ms) that begin as those of ``first`` and end as those of ``second``."""
    size = first.shape[1]
    fade = size // 4
    begin, end = first.astype(np.float32), second.astype(np.float32)
    starts = np.arange(0, size - fade + 1, fade // _STEPS_PER_FADE)
    sums = np.pad(np.cumsum((end - begin) ** 2, axis=1), ((0, 0), (1, 0)))
    start = starts[(sums[:, starts + fade] - sums[:, starts]).argmin(axis=1)]
    weight = np.clip((np.arange(size) - start[:, np.newaxis] + 0.5) / fade, 0, 1)
    made: Pcm = np.rint(begin + (end - begin) * weight).astype(np.int16)
    return made
