"""What tests need to say who hears whom: every party speaks at a pitch of its own."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.tones import tone

PARTY_HZ: Final = (400.0, 700.0, 1100.0, 1700.0, 2300.0, 2900.0)
"""No two are harmonics or sums of one another within the telephone band."""


def dominant_frequencies(
    pcm: NDArray[np.int16], rate: int = 8000, *, below_peak_db: float = 20.0, floor_dbov: float = -60.0
) -> list[float]:
    """The frequencies that stand out in ``pcm``, in Hz, lowest first, each to about 2 Hz for 100 ms and more.

    A peak counts within ``below_peak_db`` of the strongest and above ``floor_dbov``. Peaks are told apart when
    they are four bins (of 1/duration) apart.
    """
    size = len(pcm)
    if size < 64:
        return []
    window = np.blackman(size)
    padded = 8 * size
    amplitude = np.abs(np.fft.rfft(pcm * window, padded)) * 2 / window.sum()
    least = max(amplitude.max() * 10 ** (-below_peak_db / 20), 32768 * 2**0.5 * 10 ** (floor_dbov / 20))
    reach = 8 * 4
    found: list[float] = []
    for index in np.flatnonzero(amplitude >= least):
        around = amplitude[max(index - reach, 0) : index + reach + 1]
        if index > 8 and amplitude[index] == around.max():
            found.append(float(index * rate / padded))
    return found


def hears(pcm: NDArray[np.int16], frequency_hz: float, rate: int = 8000, *, tolerance_hz: float = 15.0) -> bool:
    """Whether the tone of a party is among what stands out."""
    return any(abs(found - frequency_hz) <= tolerance_hz for found in dominant_frequencies(pcm, rate))


@dataclass(slots=True)
class ToneSource:
    """An endless tone in frames, with a continuous phase: a party that talks all the time."""

    frequency_hz: float
    level_dbov: float = -16.0
    rate: int = 8000
    position: int = 0

    def frame(self, samples: int = 160) -> NDArray[np.int16]:
        """The next ``samples``."""
        start = self.position % self.rate  # whole seconds of a whole frequency repeat exactly
        self.position += samples
        needed_ms = ceil((start + samples) * 1000 / self.rate)
        return tone(self.frequency_hz, needed_ms, self.rate, self.level_dbov)[start : start + samples]
