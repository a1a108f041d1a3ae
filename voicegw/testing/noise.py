"""Noises of a telephone line, the same in every run: hiss, hum, clicks, coughs, a voice-like buzz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Pcm = NDArray[np.int16]


def _scaled(wave: NDArray[np.float64], level_dbov: float) -> _Pcm:
    rms = float(np.sqrt(np.mean(wave**2))) or 1.0
    return np.clip(np.rint(wave / rms * 32768 * 10 ** (level_dbov / 20)), -32768, 32767).astype(np.int16)


def line_noise(duration_ms: int, level_dbov: float = -60.0, *, hum_hz: float = 50.0, seed: int = 1) -> _Pcm:
    """Hiss with the hum of the mains and its third harmonic 6 dB below it, 8 kHz."""
    size = duration_ms * 8
    at = np.arange(size) / 8000
    hiss = np.convolve(np.random.default_rng(seed).standard_normal(size + 2), [0.25, 0.5, 0.25], "valid")
    hum = np.sin(2 * np.pi * hum_hz * at) + np.sin(2 * np.pi * 3 * hum_hz * at)
    return _scaled(hiss / max(hiss.std(), 1e-9) + hum * 0.5, level_dbov)


def click(level_dbov: float = -10.0, *, duration_ms: float = 4.0, seed: int = 1) -> _Pcm:
    """A short crack that dies away: a connector, a key, a lip."""
    size = round(duration_ms * 8)
    decay = np.exp(-np.arange(size) / (size / 5))
    return _scaled(np.random.default_rng(seed).standard_normal(size) * decay, level_dbov)


def cough(level_dbov: float = -20.0, *, duration_ms: int = 250, seed: int = 1) -> _Pcm:
    """A burst of coloured noise with a hard start and a soft end, around 500 to 1500 Hz."""
    size = duration_ms * 8
    rng = np.random.default_rng(seed)
    white = np.fft.rfft(rng.standard_normal(size))
    hz = np.fft.rfftfreq(size, 1 / 8000)
    coloured = np.fft.irfft(white * np.exp(-(((hz - 900) / 500) ** 2)), size)
    envelope = np.minimum(np.arange(size) / 40, 1) * np.exp(-np.arange(size) / (size / 3))
    return _scaled(coloured * envelope, level_dbov)


def mixed(base: _Pcm, sound: _Pcm, at_ms: int) -> _Pcm:
    """``base`` with ``sound`` laid over it from ``at_ms`` on; what runs over the end is cut."""
    out = base.astype(np.int32)
    start = at_ms * 8
    part = sound[: max(len(out) - start, 0)]
    out[start : start + len(part)] += part
    return np.clip(out, -32768, 32767).astype(np.int16)
