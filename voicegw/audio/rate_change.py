"""From 8 to 16 kHz and back for many streams at once, a frame of each per tick: one matrix product for all.

:class:`voicegw.audio.resample.Resampler` is for one stream of any two rates, exact and without delay; this is for
calls whose telephones have different ones, where it must cost a few microseconds a leg. Its filter is
a windowed sinc that passes what is below 3.4 kHz, takes 60 dB off what is above 4.2, and delays all by 2.25 ms.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_Float = NDArray[np.float32]

_PASS_HZ: Final = 3400
_STOP_HZ: Final = 4200
_ATTENUATION_DB: Final = 60.0
_DELAY_S: Final = 0.00225
"""Half the length of the filter, which its edges and attenuation ask for (Kaiser)."""


class RateChanger:
    """Streams of ``capacity`` rows from ``source_hz`` to ``target_hz``; one is twice the other."""

    def __init__(self, capacity: int, source_hz: int, target_hz: int, frame_ms: int = 20) -> None:
        frame = source_hz * frame_ms // 1000
        self._past = round(2 * _DELAY_S * source_hz)
        self._matrix = _matrix(self._past, frame, source_hz, target_hz)
        self._history = np.zeros((capacity, self._past), np.float32)

    def reset(self, row: int) -> None:
        """The next frame of the row begins a stream."""
        self._history[row] = 0

    def process(self, rows: NDArray[np.intp], frames: NDArray[np.int16]) -> NDArray[np.int16]:
        """One frame of each of ``rows``, each row once, at the other rate."""
        if not len(rows):
            return np.empty((0, self._matrix.shape[1]), np.int16)
        samples = np.concatenate([self._history[rows], frames.astype(np.float32)], axis=1)
        self._history[rows] = samples[:, -self._past :]
        changed = np.rint(np.dot(samples, self._matrix))
        result: NDArray[np.int16] = np.clip(changed, -32768, 32767).astype(np.int16)
        return result


@cache
def _matrix(past: int, frame: int, source_hz: int, target_hz: int) -> _Float:
    """(past + frame, frame at the other rate): column n weighs the input for output sample n."""
    inputs = (np.arange(past + frame) - past)[:, np.newaxis] / source_hz
    outputs = np.arange(frame * target_hz // source_hz) / target_hz - _DELAY_S
    distance = outputs - inputs
    cutoff = (_PASS_HZ + _STOP_HZ) / 2
    beta = 0.1102 * (_ATTENUATION_DB - 8.7)
    window = np.i0(beta * np.sqrt(np.maximum(1 - (distance / _DELAY_S) ** 2, 0))) / np.i0(beta)
    weights = np.where(np.abs(distance) <= _DELAY_S, np.sinc(2 * cutoff * distance) * window, 0)
    matrix: _Float = (weights / weights.sum(axis=0)).astype(np.float32)
    matrix.setflags(write=False)  # all changers of these rates share it
    return matrix
