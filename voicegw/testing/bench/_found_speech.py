"""Where in a long sound each of some pieces of speech is, in their order, whatever a network has done to them.

Loudness alone is compared, in steps of 10 ms: it survives codecs, losses and the clocks of two programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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
_MOVE_COST: Final = 0.004
"""Of each of these steps, in units of correlation."""
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
    """The sample of ``heard`` at which each piece of ``said`` begins, to 10 ms; may be outside of it.

    Of all ways to place them one after the other the one that is most alike (Viterbi): a piece of which losses have
    left little does not lead those behind it astray.
    """
    step, loud = rate_hz // _STEPS, _loudness(heard, rate_hz)
    lowest = min(-_FARTHEST, (len(heard) - len(said)) // step - _FARTHEST)
    alike = [_at_each_shift(piece, loud, step, lowest) for piece in pieces]
    moves = np.arange(-_AROUND, _AROUND + 1)
    best, came_by = alike[0], []
    for each in alike[1:]:
        before = np.pad(best, _AROUND, constant_values=-np.inf)
        ways = sliding_window_view(before, len(moves)) - _MOVE_COST * np.abs(moves)
        taken = np.argmax(ways, axis=1)
        came_by.append(moves[taken])
        best = each + ways[np.arange(len(each)), taken]
    places = [int(np.argmax(best))]
    for back in reversed(came_by):
        places.append(places[-1] + int(back[places[-1]]))
    return [piece.start + (place + lowest) * step for piece, place in zip(pieces, reversed(places), strict=True)]


def _at_each_shift(piece: Piece, loud: _Float, step: int, lowest: int) -> _Float:
    """How alike what is heard is at each shift from ``lowest`` on, in steps."""
    pattern, low = _loudness(piece.pcm, step * _STEPS), piece.start // step + lowest
    return _alike(pattern, _window(loud, low, piece.start // step + _FARTHEST + len(pattern)))


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
