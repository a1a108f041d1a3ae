"""Tones of the telephone: plain ones and DTMF (ITU-T Q.23, Q.24)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.levels import saturate

_Pcm = NDArray[np.int16]
_Float = NDArray[np.float32]

DTMF_ROWS: Final = (697, 770, 852, 941)
DTMF_COLUMNS: Final = (1209, 1336, 1477, 1633)
DTMF_KEYS: Final = ("123A", "456B", "789C", "*0#D")

_HALF: Final = 80
_WINDOW: Final = 160
"""20 ms: 50 Hz wide, enough for neighbours that are 73 Hz apart and short enough for the shortest legal press."""
_PRESS_HOPS: Final = 3
"""Q.24 asks to accept 40 ms and to refuse 23 ms: the longer fills three overlapping windows, the shorter two."""
_RELEASE_HOPS: Final = 2
_MIN_TONE_POWER: Final = 32768**2 * 10**-4.0
"""-40 dBov for each of the two frequencies."""
_MAX_TWIST_DB: Final = 9.0
_MIN_LEAD_DB: Final = 8.0
"""How far a frequency must stand out from the others of its group."""
_MIN_SHARE: Final = 0.7
"""Part of the power that must lie in the two frequencies: what speech hardly ever reaches."""


def tone(
    frequencies: float | tuple[float, ...], duration_ms: float, rate: int = 8000, level_dbov: float = -13.0
) -> _Pcm:
    """A sine, or the sum of several, each at ``level_dbov``."""
    each = (frequencies,) if isinstance(frequencies, int | float) else frequencies
    at = np.arange(round(duration_ms * rate / 1000)) / rate
    peak = 32768 * 2**0.5 * 10 ** (level_dbov / 20)
    return saturate(np.asarray(peak * sum(np.sin(2 * np.pi * frequency * at) for frequency in each)))


def silence(duration_ms: float, rate: int = 8000) -> _Pcm:
    """Zeros."""
    return np.zeros(round(duration_ms * rate / 1000), np.int16)


def dtmf(digits: str, on_ms: float = 100, off_ms: float = 100, rate: int = 8000, level_dbov: float = -16.0) -> _Pcm:
    """Key presses in sequence, each followed by a pause; ValueError for what is no key (0-9, A-D, *, #)."""
    parts = [np.empty(0, np.int16)]
    for digit in digits.upper():
        row = next((row for row, keys in enumerate(DTMF_KEYS) if digit in keys), None)
        if row is None:
            raise ValueError(f"{digit!r} is no DTMF key")
        pair = (DTMF_ROWS[row], DTMF_COLUMNS[DTMF_KEYS[row].index(digit)])
        parts += [tone(pair, on_ms, rate, level_dbov), silence(off_ms, rate)]
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class DtmfPress:
    """One key press heard in the audio of ``row``, reported at its end."""

    row: int
    digit: str
    duration_ms: int


class DtmfDetector:
    """In-band DTMF on ``capacity`` rows of 20 ms frames, 8 kHz.

    For peers that send neither RFC 4733 events nor SIP INFO. All frequencies of all rows are one product of
    matrices (the Goertzel recursion computes the same sums one sample at a time).
    """

    def __init__(self, capacity: int) -> None:
        self._before = np.zeros((capacity, _HALF), np.float32)
        self._digit = np.full(capacity, -1, np.int64)  # the key that sounds, as row * 4 + column
        self._hops = np.zeros(capacity, np.int64)
        self._missed = np.zeros(capacity, np.int64)

    def reset(self, row: int) -> None:
        """Forget the past of a row: it belongs to another leg now."""
        self._before[row] = 0
        self._digit[row] = -1
        self._hops[row] = self._missed[row] = 0

    def process(self, rows: NDArray[np.intp], frames: _Pcm) -> list[DtmfPress]:
        """Take one frame (len(rows), 160) of each row; returns the presses that ended."""
        samples = np.concatenate([self._before[rows], frames], axis=1, dtype=np.float32)
        self._before[rows] = samples[:, -_HALF:]
        presses = self._step(rows, _keys(samples[:, :_WINDOW]))
        return presses + self._step(rows, _keys(samples[:, _HALF:]))

    def _step(self, rows: NDArray[np.intp], keys: NDArray[np.int64]) -> list[DtmfPress]:
        digit, hops = self._digit[rows], self._hops[rows]
        same = (keys == digit) & (digit >= 0)
        missed = np.where(same, 0, self._missed[rows] + 1)
        over = (digit >= 0) & ~same & ((missed >= _RELEASE_HOPS) | (keys >= 0))
        presses = [
            DtmfPress(int(rows[i]), DTMF_KEYS[digit[i] // 4][digit[i] % 4], int(hops[i] + 1) * 10)
            for i in np.flatnonzero(over & (hops >= _PRESS_HOPS))
        ]
        fresh = over | (digit < 0)
        self._digit[rows] = np.where(fresh, keys, digit)
        self._hops[rows] = np.where(fresh, keys >= 0, hops + same)
        self._missed[rows] = np.where(fresh, 0, missed)
        return presses


def _make_basis() -> _Float:
    """(160, 16): cosines, then sines, of the eight frequencies; scaled so that a sine's own power comes out."""
    angle = 2 * np.pi * np.outer(np.arange(_WINDOW), DTMF_ROWS + DTMF_COLUMNS) / 8000
    basis = np.concatenate([np.cos(angle), np.sin(angle)], axis=1) * (2**0.5 / _WINDOW)
    return basis.astype(np.float32)


_BASIS: Final[_Float] = _make_basis()


def _keys(windows: _Float) -> NDArray[np.int64]:
    """The key that sounds in each window (n, 160), as row * 4 + column, or -1."""
    keys = np.full(len(windows), -1, np.int64)
    total = np.einsum("rs,rs->r", windows, windows) / _WINDOW
    loud = np.flatnonzero(total > _MIN_TONE_POWER)
    if len(loud):
        keys[loud] = _keys_of_loud(windows[loud], total[loud])
    return keys


def _keys_of_loud(windows: _Float, total: _Float) -> NDArray[np.int64]:
    parts = windows @ _BASIS
    power = parts[:, :8] ** 2 + parts[:, 8:] ** 2
    low, high = power[:, :4], power[:, 4:]
    first, second = low.max(axis=1), high.max(axis=1)
    lead, twist = 10 ** (_MIN_LEAD_DB / 10), 10 ** (_MAX_TWIST_DB / 10)
    heard = np.minimum(first, second) > _MIN_TONE_POWER
    for group, best in ((low, first), (high, second)):
        heard &= np.count_nonzero(group * lead >= best[:, np.newaxis], axis=1) == 1  # nobody near the winner
    heard &= (first < twist * second) & (second < twist * first)
    heard &= first + second > _MIN_SHARE * total
    return np.where(heard, low.argmax(axis=1) * 4 + high.argmax(axis=1), -1)
