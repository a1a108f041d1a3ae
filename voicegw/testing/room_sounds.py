"""What is heard from behind a telephone besides words, made by rule and the same in every run.

Each function returns 16-bit samples at 8 kHz in the telephone band, at an active level of ``level_dbov``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_RATE_HZ = 8000
_Wave = NDArray[np.float64]
Pcm = NDArray[np.int16]


def at_level(wave: NDArray[np.float64], level_dbov: float) -> Pcm:
    """``wave`` so loud that the part of it within 15.9 dB of its peak has that level (ITU-T P.56, roughly)."""
    blocks = np.pad(wave, (0, -len(wave) % 80)).reshape(-1, 80)
    power = np.mean(blocks**2, axis=1)
    active = float(np.mean(power[power >= power.max() * 10**-1.59])) or 1.0
    scaled = wave * 32768 * 10 ** (level_dbov / 20) / np.sqrt(active)
    pcm: Pcm = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
    return pcm


def breath(level_dbov: float = -38.0, *, duration_ms: int = 600, seed: int = 1) -> Pcm:
    """Air into the microphone: soft noise that swells and fades."""
    size = duration_ms * 8
    swell = np.sin(np.pi * np.arange(size) / size) ** 2
    return at_level(_band(size, 300, 2800, seed) * swell, level_dbov)


def door(level_dbov: float = -24.0, *, seed: int = 1) -> Pcm:
    """A thud with the room's echo, and the latch after it."""
    size = 700 * 8
    at = np.arange(size) / _RATE_HZ
    thud = np.sin(2 * np.pi * 95 * at) * np.exp(-at / 0.05) + 0.6 * _band(size, 200, 900, seed) * np.exp(-at / 0.09)
    latch = np.zeros(size)
    latch[90 * 8 :] = 0.5 * (_band(size, 900, 3400, seed + 1) * np.exp(-at / 0.008))[: size - 90 * 8]
    return at_level(thud + latch, level_dbov)


def keyboard(level_dbov: float = -30.0, *, strokes: int = 9, seed: int = 1) -> Pcm:
    """Somebody types: short clicks, 60 to 190 ms apart, each a little different."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum(rng.integers(60, 190, strokes)) * 8
    wave = np.zeros(int(starts[-1]) + 400)
    for number, start in enumerate(starts):
        decay = np.exp(-np.arange(240) / rng.integers(20, 60))
        wave[start : start + 240] += rng.uniform(0.5, 1.0) * _band(240, 800, 3400, seed * 100 + number) * decay
    return at_level(wave, level_dbov)


def throat(level_dbov: float = -26.0, *, duration_ms: int = 380, seed: int = 1) -> Pcm:
    """Clearing one's throat: a creak of irregular pulses through a rough tube, twice."""
    half = duration_ms * 4
    wave = np.concatenate([_creak(half, seed), np.zeros(40 * 8), 0.7 * _creak(half, seed + 1)])
    return at_level(wave, level_dbov)


def hum(level_dbov: float = -24.0, *, pitch_hz: float = 120.0, seed: int = 1) -> Pcm:
    """ "Mm-hm": two nasal syllables with closed lips, the second one higher, breath between them."""
    low, high = _nasal(1500, pitch_hz, 0.97), _nasal(1800, pitch_hz * 1.25, 1.08)
    aspirate = 0.08 * _band(560, 300, 2000, seed)
    return at_level(np.concatenate([low, aspirate, high]), level_dbov)


def _nasal(size: int, pitch_hz: float, glide: float) -> _Wave:
    """A voice through the nose: strong below 350 Hz, a second weak formant at 1.1 kHz, hardly anything above."""
    at = np.arange(size) / _RATE_HZ
    phase = 2 * np.pi * pitch_hz * (at + (glide - 1) * at**2 / (2 * at[-1]))
    wave = np.zeros(size)
    for harmonic in range(1, 28):
        hz = harmonic * pitch_hz
        if hz > 3400:
            break
        gain = 1 / (1 + (hz / 300) ** 2) + 0.03 * np.exp(-(((hz - 1100) / 200) ** 2))
        wave += gain * np.sin(harmonic * phase)
    edges = np.minimum(1, np.minimum(np.arange(size), np.arange(size)[::-1]) / 240)
    shaped: _Wave = wave * edges
    return shaped


def _creak(size: int, seed: int) -> _Wave:
    rng = np.random.default_rng(seed)
    pulses = np.zeros(size)
    position = 0
    while position < size:
        pulses[position] = rng.uniform(0.4, 1.0)
        position += int(rng.integers(70, 150))
    at = np.arange(240) / _RATE_HZ
    tube = np.exp(-at / 0.006) * (np.sin(2 * np.pi * 550 * at) + 0.6 * np.sin(2 * np.pi * 1500 * at))
    rough = np.convolve(pulses, tube)[:size] + 0.15 * _band(size, 300, 3000, seed + 50)
    creak: _Wave = rough * np.sin(np.pi * np.arange(size) / size) ** 0.5
    return creak


def _band(size: int, low_hz: float, high_hz: float, seed: int) -> _Wave:
    """Noise between two frequencies, of variance 1."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(size))
    hz = np.fft.rfftfreq(size, 1 / _RATE_HZ)
    spectrum[(hz < low_hz) | (hz > high_hz)] = 0
    wave: _Wave = np.fft.irfft(spectrum, size)
    return wave / (float(wave.std()) or 1.0)
