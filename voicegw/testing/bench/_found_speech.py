"""Where in a long sound each of some pieces of speech is, in their order, whatever a network has done to them.

Loudness alone is compared, in steps of 10 ms: it survives codecs, losses and the clocks of two programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
_Float = NDArray[np.float64]
_Number = TypeVar("_Number", np.int16, np.float64)

_STEPS: Final = 100
"""In a second."""
_FARTHEST: Final = 200
"""How many steps apart the beginnings of the two sounds may be."""
_AROUND: Final = 100
"""How many steps a piece may be from where the last one lets it be expected."""
_SURE: Final = 0.5
"""Correlation from which a place is believed; what is hardly there is looked for where the last piece was."""
_SAME: Final = 0.85
"""Correlation of samples that are the same but for a filter or a resampler."""
_PERIOD: Final = 40
"""Samples from the first place that is alike to the one that is most so."""
_GAP_S: Final = 0.5
_CUT_OFF_S: Final = 0.2
_LATEST_S: Final = 6.0
"""From the end of one sentence that was sent to the beginning of the next."""
_BEFORE_S: Final = 0.25
_AFTER_S: Final = 0.5
"""What is cut out with a piece: for delays that change within it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What was said, and from which sample on in the sound of who said it."""

    text: str
    pcm: Pcm
    start: int


def find(pieces: Sequence[Piece], said: Pcm, heard: Pcm, rate_hz: int) -> list[int]:
    """The sample of ``heard`` at which each piece of ``said`` begins, to 10 ms; may be outside of it."""
    step, loud = rate_hz // _STEPS, _loudness(heard, rate_hz)
    whole = _loudness(said[: pieces[-1].start + len(pieces[-1].pcm)], rate_hz)
    shift = _best(whole, _window(loud, -_FARTHEST, len(whole) + _FARTHEST))[0] - _FARTHEST
    found = []
    for piece in pieces:
        pattern, expected = _loudness(piece.pcm, rate_hz), piece.start // step + shift
        low = expected - _AROUND
        place, alike = _best(pattern, _window(loud, low, low + len(pattern) + 2 * _AROUND))
        if alike >= _SURE:
            shift += place - _AROUND
        found.append(piece.start + shift * step)
    return found


def cut_out(heard: Pcm, start: int, size: int, rate_hz: int) -> Pcm:
    """``size`` samples from ``start`` on with what is around them, silence where ``heard`` has none."""
    return _window(heard, start - round(_BEFORE_S * rate_hz), start + size + round(_AFTER_S * rate_hz))


def in_a_row(sentences: Sequence[tuple[str, Pcm]], rate_hz: int) -> tuple[Pcm, list[Piece]]:
    """All of them, each behind a pause."""
    gap, parts, pieces, at = np.zeros(round(_GAP_S * rate_hz), np.int16), [], [], 0
    for text, pcm in sentences:
        pieces.append(Piece(text, pcm, at + len(gap)))
        parts += [gap, pcm]
        at += len(gap) + len(pcm)
    return np.concatenate(parts), pieces


def find_sent(sentences: Sequence[tuple[str, Pcm]], sent: Pcm, rate_hz: int) -> list[Piece]:
    """Where sentences are in what was sent of them, in their order. One that is torn is left out: nobody else is to
    blame for what is missing of it. Of the first one the beginning may be, if that is no more than silence."""
    pieces: list[Piece] = []
    at, torn = -round(_CUT_OFF_S * rate_hz), 0
    for text, pcm in sentences:
        window = _window(sent, at, min(len(sent), at + torn + len(pcm) + round(_LATEST_S * rate_hz)))
        if (place := find_first(pcm, window)) is None:
            torn += len(pcm)
            continue
        start, torn = at + place, 0
        at = start + len(pcm)
        pieces.append(Piece(text, _window(sent, start, at), start))
    return pieces


def find_first(pcm: Pcm, sound: Pcm) -> int | None:
    """Where samples are for the first time in a sound that has them almost as they are."""
    alike = _alike(pcm.astype(np.float64), sound.astype(np.float64))
    places = np.flatnonzero(alike >= _SAME)
    if not len(places):
        return None
    return int(places[0] + np.argmax(alike[places[0] :][:_PERIOD]))


def _window(sound: NDArray[_Number], low: int, high: int) -> NDArray[_Number]:
    """From ``low`` to ``high``, zeros where there is nothing."""
    padded = np.pad(sound, (max(0, -low), max(0, high - len(sound))))
    return padded[max(0, low) :][: high - low]


def _loudness(pcm: Pcm, rate_hz: int) -> _Float:
    """The root of the energy of each step."""
    step = rate_hz // _STEPS
    blocks = pcm[: len(pcm) // step * step].reshape(-1, step).astype(np.float64)
    loud: _Float = np.sqrt((blocks**2).mean(axis=1))
    return loud


def _best(pattern: _Float, sound: _Float) -> tuple[int, float]:
    """Where in ``sound`` the pattern fits best, and how well."""
    alike = _alike(pattern, sound)
    place = int(np.argmax(alike))
    return place, float(alike[place])


def _alike(pattern: _Float, sound: _Float) -> _Float:
    """The correlation (Pearson) of the pattern with what is at each place of the sound; a zero if that is short."""
    count = len(sound) - len(pattern) + 1
    if count < 1:
        return np.zeros(1)
    pattern = pattern - pattern.mean()
    size = 1 << (len(sound) + len(pattern) - 1).bit_length()
    fits = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(pattern, size)), size)[:count]
    sums, squares = (np.concatenate([[0.0], np.cumsum(values)]) for values in (sound, sound**2))
    windows, powers = (total[len(pattern) :] - total[: -len(pattern)] for total in (sums, squares))
    energy = np.maximum(powers - windows**2 / len(pattern), 0.0)
    alike: _Float = fits / (np.sqrt(energy * (pattern**2).sum()) + 1.0)
    return alike
