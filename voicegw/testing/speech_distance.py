"""How far what is heard is from what was said, by the ear's own measure: loudness in bands of hearing, over time.

Speech that waits longer or shorter in a jitter buffer is no worse for it, so each piece is compared where it fits
best. What is lost, torn or invented is. The measure is a log-spectral distance in third-octave bands, in dB: 0 for
the same sound, 1 to 3 for a codec, above 10 for what nobody would call the same.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
_Float = NDArray[np.float64]

_PIECE_S: Final = 0.24
_FARTHEST_S: Final = 0.6
_FRAME_S: Final = 0.032
_LOWEST_HZ: Final = 200.0
_HIGHEST_OF_RATE: Final = 0.43
"""Above it the filters of codecs begin: 3,440 Hz of 8,000, 6,880 of 16,000."""
_THIRD_OCTAVE: Final = 2 ** (1 / 3)
_FLOOR: Final = 1e-4
"""Of the loudest band: what is 40 dB below it in the same moment is not heard."""
_QUIET_RMS: Final = 100.0
_SURE: Final = 0.5
"""Correlation from which a place is believed; what is lost has none, and is looked at where the last piece was."""


def spectral_distance_db(said: Pcm, heard: Pcm, rate_hz: int) -> float:
    """The mean over what was said, pauses left out. ``heard`` begins when ``said`` does, or up to 0.6 s before its
    first sound comes; 0.0 if nothing was said."""
    size, farthest = round(_PIECE_S * rate_hz), round(_FARTHEST_S * rate_hz)
    padded = np.concatenate([heard, np.zeros(size + farthest, np.int16)]).astype(np.float64)
    sound, shift, distances = said.astype(np.float64), 0, []
    for start in range(0, len(said) - size + 1, size):
        piece = sound[start : start + size]
        if np.sqrt((piece**2).mean()) < _QUIET_RMS:
            continue
        around = padded[start : start + size + farthest]
        shift = _place(piece, around, shift)
        distances.append(_distance(piece, around[shift : shift + size], rate_hz))
    return float(np.concatenate(distances).mean()) if distances else 0.0


def _place(piece: _Float, around: _Float, before: int) -> int:
    """Where in ``around`` the piece fits best."""
    size = 1 << (len(around) + len(piece) - 1).bit_length()
    fits = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(piece, size)), size)
    fits = fits[: len(around) - len(piece) + 1]
    energy = np.concatenate([[0.0], np.cumsum(around**2)])
    alike = fits / np.sqrt((energy[len(piece) :] - energy[: -len(piece)] + 1.0) * (piece**2).sum())
    place = int(np.argmax(alike))
    return place if alike[place] >= _SURE else before


def _distance(said: _Float, heard: _Float, rate_hz: int) -> _Float:
    """Of each frame of a piece, in dB."""
    levels = [_levels(pcm, rate_hz) for pcm in (said, heard)]
    floor = _FLOOR * levels[0].max(axis=1, keepdims=True) + 1.0
    first, second = (10 * np.log10(np.maximum(level, floor)) for level in levels)
    frames: _Float = np.sqrt(((first - second) ** 2).mean(axis=1))
    return frames


def _levels(pcm: _Float, rate_hz: int) -> _Float:
    """Power in each band of each frame, frames half over each other: (frames, bands)."""
    size = round(_FRAME_S * rate_hz)
    frames = np.lib.stride_tricks.sliding_window_view(pcm, size)[:: size // 2]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    return np.stack([power[:, band].sum(axis=1) for band in _bands(size, rate_hz)], axis=1)


def _bands(size: int, rate_hz: int) -> list[slice]:
    """Third octaves as places in a spectrum; narrow ones at the bottom have a bin at least."""
    edges = [_LOWEST_HZ]
    while edges[-1] * _THIRD_OCTAVE <= rate_hz * _HIGHEST_OF_RATE:
        edges.append(edges[-1] * _THIRD_OCTAVE)
    bins = sorted({round(edge * size / rate_hz) for edge in edges})
    return [slice(low, high) for low, high in pairwise(bins)]
