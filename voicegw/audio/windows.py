"""From 20 ms frames to the windows of a model, which are not a multiple of them (256 samples, say)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class WindowAssembler:
    """Collects the samples of ``capacity`` rows into windows of ``window_samples``.

    A row is given its phase by :meth:`reset`, so that the windows of many legs fall on different ticks and the
    model's work is spread evenly.
    """

    def __init__(self, capacity: int, window_samples: int, frame_samples: int = 160) -> None:
        if frame_samples > window_samples:
            raise ValueError("a frame must not be longer than a window")
        self._window = window_samples
        self._frame = frame_samples
        self._buffer = np.zeros((capacity, window_samples + frame_samples), np.int16)
        self._held = np.zeros(capacity, np.intp)
        self._position = np.zeros(capacity, np.int64)

    def reset(self, row: int) -> None:
        """Begin a new stream at position 0. The first window of a row is shorter by a phase of its own (its head is
        silence from before the stream)."""
        phase = row * self._frame % self._window
        self._buffer[row, :phase] = 0
        self._held[row] = phase
        self._position[row] = 0

    def push(
        self, rows: NDArray[np.intp], frames: NDArray[np.int16]
    ) -> tuple[NDArray[np.intp], NDArray[np.int16], NDArray[np.int64]]:
        """Add one frame (len(rows), frame_samples) to each row.

        Returns the rows whose window is full now, their windows (n, window_samples), and the position in each
        row's stream of the sample after the window.
        """
        held = self._held[rows]
        # Few phases exist (eight for 160 into 256); a slice for each is much cheaper than an index for each sample.
        for phase in np.unique(held).tolist():
            here = held == phase
            self._buffer[rows[here], phase : phase + self._frame] = frames[here]
        held = held + self._frame
        self._position[rows] += self._frame
        ready = held >= self._window
        full = rows[ready]
        windows = self._buffer[full, : self._window]
        left = held[ready] - self._window
        self._buffer[full, : self._frame] = self._buffer[full, self._window :]
        held[ready] = left
        self._held[rows] = held
        return full, windows, self._position[full] - left
