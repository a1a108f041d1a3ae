"""From an engine's samples to what was asked for: the rate, and no silence in front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.resample import Resampler

_SILENT_BELOW = 160
"""About -46 dB of full scale: above the idle noise of the voices, below any consonant."""
_KEPT_S = 0.01
"""Left before the first sound, for the soft beginning of an "h" or an "f". Every answer waits for as much, in whole
packets: 30 ms would be one more."""
MAX_RATE, MIN_RATE = 3.0, 0.33
"""Beyond these, engines produce noise."""


class SpeechShaper:
    """Resamples one stream and drops its leading silence, which would only delay the answer (200 ms in flite)."""

    def __init__(self, source_hz: int, target_hz: int) -> None:
        self._resampler = Resampler(source_hz, target_hz) if source_hz != target_hz else None
        self._target_hz = target_hz
        self._kept = round(_KEPT_S * target_hz)
        self._pending: NDArray[np.int16] | None = np.empty(0, np.int16)
        self.trimmed_samples = 0
        """Dropped at the front so far, at the target rate; final once ``started``."""

    @property
    def started(self) -> bool:
        """Whether the first sound has been found."""
        return self._pending is None

    def process(self, samples: NDArray[np.int16]) -> bytes:
        """Take samples at the source rate; returns PCM at the target rate, empty while it is all silence."""
        return self._trim(self._resampler.process(samples) if self._resampler else samples).tobytes()

    def flush(self) -> bytes:
        """The rest. An utterance without any sound comes out empty."""
        return self._trim(self._resampler.flush()).tobytes() if self._resampler else b""

    def position(self, seconds: float) -> int:
        """The sample of the shaped stream that stands for a time of the engine's."""
        return max(round(seconds * self._target_hz) - self.trimmed_samples, 0)

    def _trim(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        if self._pending is None:
            return samples
        waiting = np.concatenate([self._pending, samples])
        loud = np.flatnonzero(np.abs(waiting.astype(np.int32)) >= _SILENT_BELOW)
        cut = max(int(loud[0]) - self._kept, 0) if len(loud) else max(len(waiting) - self._kept, 0)
        self.trimmed_samples += cut
        self._pending = None if len(loud) else waiting[cut:]
        return waiting[cut:] if len(loud) else np.empty(0, np.int16)


def sane_rate(rate: float) -> float:
    """The speaking rate within what engines can do."""
    return min(max(rate, MIN_RATE), MAX_RATE)
