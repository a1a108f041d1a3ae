"""Known sounds for measurements: a voice that no file holds, and a burst whose beginning can be found."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

BURST_S: Final = 0.04
_BURST_HZ: Final = 1000
_BURST_PEAK: Final = 16_000.0
_VOICE_PEAK: Final = 12_000.0
_PITCH_HZ: Final = 130
_FORMANTS_HZ: Final = (500, 1500, 2500, 5500)


def voice(rate_hz: int, seconds: float = 2.0) -> Pcm:
    """A gliding buzz with moving formants and a hiss now and then: all that codecs find hard."""
    rng = np.random.default_rng(4)
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    phase = 2 * np.pi * _PITCH_HZ * t + 5 * np.sin(2 * np.pi * 1.3 * t)
    sweep = 1 + 0.2 * np.sin(5 * t)
    buzz = np.zeros(len(t))
    for k in range(1, int(rate_hz * 0.45 / 160)):
        formants = sum(1 / (1 + ((k * _PITCH_HZ - hz * sweep) / 200) ** 2) for hz in _FORMANTS_HZ)
        buzz += formants * np.sin(k * phase)
    hiss = rng.normal(0, 0.3, len(t)) * (np.sin(2 * np.pi * 2 * t) > 0.8)
    mixed = (buzz + hiss) * (0.55 + 0.45 * np.sin(2 * np.pi * 2.5 * t))
    pcm: Pcm = np.rint(_VOICE_PEAK * mixed / np.abs(mixed).max()).astype(np.int16)
    return pcm


def burst(rate_hz: int) -> Pcm:
    """40 ms of a tone that begins at its peak, far above any voice here."""
    t = np.arange(round(rate_hz * BURST_S)) / rate_hz
    return np.rint(_BURST_PEAK * np.cos(2 * np.pi * _BURST_HZ * t)).astype(np.int16)
