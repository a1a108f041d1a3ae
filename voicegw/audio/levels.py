"""Levels, gains and fades of int16 rows.

Levels are in dBov (RFC 6464 §3, ITU-T G.100.1): 0 is the power of a full-scale square wave, a full-scale sine is
−3, digital silence is reported as :data:`SILENCE_DBOV`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SILENCE_DBOV: Final = -127.0
"""Floor of the scale: one step of one sample in a frame is well above it."""

_FULL_SCALE_POWER: Final = 32768.0**2
_FLOOR_POWER: Final = _FULL_SCALE_POWER * 10 ** (SILENCE_DBOV / 10)


def level_dbov(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    """Mean power of each row of ``pcm`` (…, samples), in dBov; an empty row is silence."""
    samples = pcm.astype(np.float32)
    power = np.einsum("...i,...i->...", samples, samples) / max(pcm.shape[-1], 1)
    level: NDArray[np.float32] = 10 * np.log10(np.maximum(power, _FLOOR_POWER) / _FULL_SCALE_POWER)
    return level.astype(np.float32)


def to_float(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    """Scale to [-1, 1), which is what models take."""
    return pcm * np.float32(1 / 32768)


def to_int16(samples: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.int16]:
    """Scale [-1, 1] back with rounding; what is outside saturates instead of wrapping around."""
    return saturate(samples * np.float32(32768))


def saturate(samples: NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int32]) -> NDArray[np.int16]:
    """Round a sum of PCM (a mix) to int16 without wrap-around, whatever the input type."""
    rounded: NDArray[np.int16] = np.rint(np.clip(samples, -32768, 32767)).astype(np.int16)
    return rounded


def apply_gain(pcm: NDArray[np.int16], gain: float | NDArray[np.float32]) -> NDArray[np.int16]:
    """Multiply by a linear ``gain``: one number, or (rows,) with one for each row."""
    factor = np.asarray(gain, np.float32)
    return saturate(pcm * (factor[..., np.newaxis] if factor.ndim else factor))


def db_to_gain(db: float) -> float:
    """Decibels to a linear factor of amplitude."""
    return float(10 ** (db / 20))


def fade_in(pcm: NDArray[np.int16], samples: int = 40) -> NDArray[np.int16]:
    """Copy with a raised-cosine rise over the first ``samples`` (40 is 5 ms at 8 kHz): a start without a click."""
    faded = pcm.copy()
    count = min(samples, pcm.shape[-1])
    faded[..., :count] = np.rint(pcm[..., :count] * _rise(count))
    return faded


def fade_out(pcm: NDArray[np.int16], samples: int = 40) -> NDArray[np.int16]:
    """Copy with a raised-cosine fall over the last ``samples``: a stop in mid-word without a click."""
    faded = pcm.copy()
    start = max(pcm.shape[-1] - samples, 0)
    faded[..., start:] = np.rint(pcm[..., start:] * _rise(pcm.shape[-1] - start)[::-1])
    return faded


def _rise(count: int) -> NDArray[np.float32]:
    """From just above 0 to just below 1, symmetric, so that a rise and a fall add up to 1 (a crossfade)."""
    phase = (np.arange(count) + 0.5) / max(count, 1)
    return (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)
