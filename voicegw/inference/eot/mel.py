"""The log-mel spectrogram that Whisper listens to: 16 kHz, windows of 25 ms every 10 ms, Slaney's mel scale."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 16_000
HOP: Final = 160
_WINDOW: Final = 400
_LINEAR_HZ_PER_MEL: Final = 200 / 3
_LOG_FROM_HZ: Final = 1000.0
_LOG_STEP: Final = np.log(6.4) / 27
_FLOOR: Final = 1e-10
_RANGE: Final = 8.0
"""Decades below the loudest cell that still count."""


def log_mel(samples: NDArray[np.float32], mels: int) -> NDArray[np.float32]:
    """(mels, len(samples) // 160) of samples in -1 to 1; the edges are mirrored, as in Whisper."""
    padded = np.pad(samples.astype(np.float64), _WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP][: len(samples) // HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    power = np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2
    bels = np.log10(np.maximum(_filters(mels) @ power.T, _FLOOR))
    bels = np.maximum(bels, bels.max() - _RANGE)
    result: NDArray[np.float32] = ((bels + 4) / 4).astype(np.float32)
    return result


@lru_cache(maxsize=4)
def _filters(mels: int) -> NDArray[np.float64]:
    """(mels, 201) triangles of equal area, evenly spread over the mel scale from 0 to 8 kHz."""
    top = _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL + np.log(RATE_HZ / 2 / _LOG_FROM_HZ) / _LOG_STEP
    corners = _to_hz(np.linspace(0, top, mels + 2))
    bins = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    low, centre, high = (corners[at : at + mels, np.newaxis] for at in range(3))
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    filters: NDArray[np.float64] = np.maximum(triangles, 0) * 2 / (high - low)
    return filters


def _to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear up to 1 kHz, logarithmic above."""
    linear = mel * _LINEAR_HZ_PER_MEL
    knee = _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL
    hz: NDArray[np.float64] = np.where(
        mel < knee, linear, _LOG_FROM_HZ * np.exp(_LOG_STEP * np.maximum(mel - knee, 0))
    )
    return hz
