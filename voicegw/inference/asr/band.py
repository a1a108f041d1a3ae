"""From the telephone band to the band that the acoustic model was trained on.

The model listens up to 6.8 kHz; the telephone ends at 3.4. A clean upsampler leaves that part of the spectrum
empty, which the model has never met, and "s" and "f" lose what tells them from a "t". So the mirror image that
zero-stuffing makes above 4 kHz is attenuated but kept: it rises and falls with the top of the telephone band as
the real upper band does. On our test set this takes away a quarter of the word errors.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SOURCE_HZ, TARGET_HZ = 8000, 16000
_TAPS = 128
_PASS_EDGE_HZ, _IMAGE_FROM_HZ = 3600.0, 4000.0
_IMAGE_GAIN = 0.5
"""Measured: 0.3 to 1.0 are equally good, 0 and 0.1 are worse."""


class BandExtender:
    """Streaming 8 to 16 kHz; adds 4 ms of delay."""

    def __init__(self) -> None:
        self._even, self._odd = _phases()
        self._history = np.zeros(_TAPS // 2 - 1)

    def process(self, pcm: bytes) -> bytes:
        """16-bit PCM in, twice as many samples out."""
        joined = np.concatenate([self._history, np.frombuffer(pcm, "<i2")])
        self._history = joined[-len(self._history) :]
        out = np.empty(2 * (len(joined) - len(self._history)))
        out[::2] = np.convolve(joined, self._even, "valid")
        out[1::2] = np.convolve(joined, self._odd, "valid")
        return np.clip(np.rint(out), -32768, 32767).astype("<i2").tobytes()


@cache
def _phases() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    bins = np.linspace(0.0, TARGET_HZ / 2, 1025)
    gain = np.interp(bins, [_PASS_EDGE_HZ, _IMAGE_FROM_HZ], [1.0, _IMAGE_GAIN])
    impulse = np.roll(np.fft.irfft(gain), _TAPS // 2)[:_TAPS] * np.hamming(_TAPS) * 2.0
    return impulse[::2], impulse[1::2]
