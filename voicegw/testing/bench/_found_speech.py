"""Where in a long sound each of some pieces of speech is, in their order, whatever a network has done to them.

Loudness alone is compared, in steps of 10 ms: it survives codecs, losses and the clocks of two programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
_Float = NDArray[np.float64]

_STEPS: Final = 100
"""In a second."""
_AROUND: Final = 100
"""How many steps a piece may be from where the last one lets it be expected."""
_SURE: Final = 0.5
"""Correlation from which a place is believed; what is hardly there is looked for where the last piece was."""
_BEFORE_S: Final = 0.25
_AFTER_S: Final = 0.5
"""What is cut out with a piece: for delays that change within it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What was said, and from which sample on in the sound of who said it."""

    pcm: Pcm
    start: int


def find(pieces: Sequence[Piece], said: Pcm, heard: Pcm, rate_hz: int) -> list[int]:
    """The sample of ``heard`` at which each piece of ``said`` begins, to 10 ms; may be outside of it."""
    step, whole, loud = rate_hz // _STEPS, _loudness(said, rate_hz), _loudness(heard, rate_hz)
    margin = len(whole) // 2
    shift = _best(whole, np.pad(loud, margin))[0] - margin
    found = []
    for piece in pieces:
        pattern, expected = _loudness(piece.pcm, rate_hz), piece.start // step + shift
        low = expected - _AROUND
        padded = np.pad(loud, (max(0, -low), max(0, low + len(pattern) + 2 * _AROUND - len(loud))))
        place, alike = _best(pattern, padded[max(0, low) :][: len(pattern) + 2 * _AROUND])
        if alike >= _SURE:
            shift += place - _AROUND
        found.append(piece.start + shift * step)
    return found


def cut_out(heard: Pcm, start: int, size: int, rate_hz: int) -> Pcm:
    """``size`` samples from ``start`` on with what is around them, silence where ``heard`` has none."""
    low, high = start - round(_BEFORE_S * rate_hz), start + size + round(_AFTER_S * rate_hz)
    padded = np.pad(heard, (max(0, -low), max(0, high - len(heard))))
    return padded[max(0, low) :][: high - low]


def find_exact(pcm: Pcm, sound: Pcm) -> tuple[int, float]:
    """Where samples are in a sound that has them as they are, and how alike they are, from −1 to 1."""
    return _best(pcm.astype(np.float64), sound.astype(np.float64))


def _loudness(pcm: Pcm, rate_hz: int) -> _Float:
    """The root of the energy of each step."""
    step = rate_hz // _STEPS
    blocks = pcm[: len(pcm) // step * step].reshape(-1, step).astype(np.float64)
    loud: _Float = np.sqrt((blocks**2).mean(axis=1))
    return loud


def _best(pattern: _Float, sound: _Float) -> tuple[int, float]:
    """Where in ``sound`` the pattern correlates best (Pearson), and how well; (0, 0.0) if it is too short."""
    count = len(sound) - len(pattern) + 1
    if count < 1:
        return 0, 0.0
    pattern = pattern - pattern.mean()
    size = 1 << (len(sound) + len(pattern) - 1).bit_length()
    fits = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(pattern, size)), size)[:count]
    sums, squares = (np.concatenate([[0.0], np.cumsum(values)]) for values in (sound, sound**2))
    windows, powers = (total[len(pattern) :] - total[: -len(pattern)] for total in (sums, squares))
    energy = np.maximum(powers - windows**2 / len(pattern), 0.0)
    alike = fits / (np.sqrt(energy * (pattern**2).sum()) + 1.0)
    place = int(np.argmax(alike))
    return place, float(alike[place])
