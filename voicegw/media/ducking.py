"""Music under a voice: lowered while somebody speaks over it, and raised again, instead of cut and begun anew.

All of a tick at once: each gain goes towards where it should be by a straight line, which is no click.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from voicegw.audio.levels import db_to_gain
from voicegw.media.config import FRAME_MS
from voicegw.media.filling import Pcm

DUCKED: Final = db_to_gain(-15.0)
"""Words stand well above it, and it is still heard that it goes on."""
_RAMP_MS: Final = 50
"""In steps of a frame, so up to 10 ms more."""
_STEP: Final = (1 - DUCKED) * FRAME_MS / _RAMP_MS
_HOLD_TICKS: Final = 20
"""400 ms: it stays down between two words and two sentences."""


@dataclass(slots=True)
class Duck:
    """How loud the music of one call is now."""

    gain: float = 1.0
    quiet_ticks: int = _HOLD_TICKS
    """Since the voice over it was last heard."""

    def move(self, *, speaking: bool) -> tuple[float, float]:
        """The gains at the beginning and at the end of this tick."""
        self.quiet_ticks = 0 if speaking else self.quiet_ticks + 1
        before = self.gain
        if self.quiet_ticks < _HOLD_TICKS:
            self.gain = max(DUCKED, before - _STEP)
        else:
            self.gain = min(1.0, before + _STEP)
        return before, self.gain


class Beds:
    """The voices of a plane that have music under them: (its gain, place of the music, place of the voice)."""

    def __init__(self, beds: Sequence[tuple[Duck, int, int]], frame_samples: int) -> None:
        self._ducks = [duck for duck, _, _ in beds]
        self._under = np.array([under for _, under, _ in beds], np.intp)
        self._over = np.array([over for _, _, over in beds], np.intp)
        self._rise = ((np.arange(frame_samples) + 1) / frame_samples).astype(np.float32)

    def lay(self, sources: Pcm) -> None:
        """Put the music under the voices, in place."""
        if not self._ducks:
            return
        voices = sources[self._over]
        speaking: list[bool] = np.any(voices != 0, axis=1).tolist()
        moves = [duck.move(speaking=one) for duck, one in zip(self._ducks, speaking, strict=True)]
        begin, end = np.array(moves, np.float32).T[:, :, np.newaxis]
        laid = voices + sources[self._under] * (begin + (end - begin) * self._rise)
        sources[self._over] = np.clip(np.rint(laid), -32768, 32767)
