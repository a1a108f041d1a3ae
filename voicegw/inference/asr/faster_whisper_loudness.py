"""Where in an utterance there is sound, by level alone: the VAD has found the utterance, this finds its end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAME_SAMPLES = 160
"""20 ms at 8 kHz."""
_FLOOR_RMS = 40.0
"""-58 dBFS: nobody speaks below it, comfort noise and an idle line do not get above."""
_BELOW_PEAK = 10.0 ** (-30.0 / 20.0)
"""Sounds of speech lie within 30 dB of its loudest vowel; a steady noise behind it mostly does not."""


class Loudness:
    """The end of the last loud frame, in samples from the beginning. Grows with the audio."""

    def __init__(self) -> None:
        self.loud_until = 0
        """0 while nothing was loud."""
        self._rest: NDArray[np.int16] = np.empty(0, np.int16)
        self._peak = 0.0
        self._measured = 0

    def push(self, pcm: NDArray[np.int16]) -> None:
        """Take the next samples."""
        waiting = np.concatenate([self._rest, pcm])
        whole = len(waiting) // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = waiting[whole:]
        frames = waiting[:whole].reshape(-1, FRAME_SAMPLES).astype(np.float64)
        for level in np.sqrt(np.mean(frames**2, axis=1)) if len(frames) else ():
            self._measured += FRAME_SAMPLES
            self._peak = max(self._peak, float(level))
            if level > max(_FLOOR_RMS, self._peak * _BELOW_PEAK):
                self.loud_until = self._measured


def quietest(pcm: NDArray[np.int16], first: int, last: int) -> int:
    """The sample in the middle of the quietest 200 ms that begin between ``first`` and ``last``."""
    width = 10 * FRAME_SAMPLES
    starts = np.arange(first, max(last - width, first + 1), FRAME_SAMPLES)
    energy = np.concatenate([[0.0], np.cumsum(pcm.astype(np.float64) ** 2)])
    ends = np.minimum(starts + width, len(pcm))
    return int(starts[np.argmin(energy[ends] - energy[starts])]) + width // 2
