"""From 20 ms frames to the windows of a model, which are not a multiple of them (256 samples, say)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_GROUP: Final = 32
"""Rows whose windows fall on the same ticks: a model costs little more for some windows than for one."""


class WindowAssembler:
    """Collects the samples of ``capacity`` rows into windows of ``window_samples``.

    The rows of a group are given the same phase by :meth:`reset`, so that a few rows make one batch for the model;
    groups are given different ones, so that the work of many is spread evenly over the ticks.
    """

    def __init__(self, capacity: int, window_samples: int, frame_samples: int = 160) -> None:
        if frame_samples > window_samples:
            raise ValueError("a frame must not be longer than a window")
        # All that is held is a multiple of this: rows at different places are written by one index of blocks.
        self._block = math.gcd(window_samples, frame_samples)
        self._window = window_samples // self._block
        self._frame = frame_samples // self._block
        self._buffer = np.zeros((capacity, self._window + self._frame, self._block), np.int16)
        self._places = np.arange(self._frame)
        self._held = np.zeros(capacity, np.intp)  # blocks
        self._ticks = 0
        self.fed = np.zeros(capacity, np.int64)
        """Samples of the stream of each row so far."""

    def reset(self, row: int) -> None:
        """Begin a new stream at position 0. The first window of a row is shorter by a phase of its group (its head
        is silence from before the stream)."""
        phase = (row // _GROUP + self._ticks) * self._frame % self._window
        self._buffer[row, :phase] = 0
        self._held[row] = phase
        self.fed[row] = 0

    def push(
        self, rows: NDArray[np.intp], frames: NDArray[np.int16]
    ) -> tuple[NDArray[np.intp], NDArray[np.int16], NDArray[np.int64]]:
        """Add one frame (len(rows), frame_samples) to each row; called every tick.

        Returns the rows whose window is full now, their windows (n, window_samples), and the position in each
        row's stream of the sample after the window.
        """
        self._ticks += 1
        self.fed[rows] += self._frame * self._block
        held = self._held[rows]
        self._buffer[rows[:, np.newaxis], held[:, np.newaxis] + self._places] = frames.reshape(
            len(rows), self._frame, self._block
        )
        held += self._frame
        ready = held >= self._window
        full, left = rows[ready], held[ready] - self._window
        held[ready] = left
        self._held[rows] = held
        held_frames = self._buffer[full]
        self._buffer[full, : self._frame] = held_frames[:, self._window :]
        windows = held_frames[:, : self._window].reshape(len(full), self._window * self._block)
        return full, windows, self.fed[full] - left * self._block
