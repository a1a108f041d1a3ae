"""What is played where nothing came: the part of the decoding that all codecs without a concealment share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.plc import Concealer, comfort_noise

Rows = NDArray[np.intp]
Pcm = NDArray[np.int16]


class ComfortNoise:
    """Rows whose peer said how its silence sounds (RFC 3389), and is silent since."""

    def __init__(self, capacity: int) -> None:
        self._level_dbov = np.full(capacity, np.nan, np.float32)
        self._position = 0
        self.on = False
        """Whether there are any."""

    def begin(self, row: int, payload: bytes) -> None:
        """A comfort noise packet came: its first byte is the level below full scale (§3)."""
        if payload:
            self._level_dbov[row] = -float(payload[0] & 0x7F)
            self.on = True

    def end(self, row: int) -> None:
        """Audio came, or the leg is over."""
        self._level_dbov[row] = np.nan
        self.on = not np.isnan(self._level_dbov).all()

    def fill(self, rows: Rows, frames: Pcm, wanted: NDArray[np.bool_]) -> None:
        """Put noise in place of the ``wanted`` frames of rows that have a level."""
        levels = self._level_dbov[rows]
        places = np.flatnonzero(wanted & ~np.isnan(levels))
        if len(places):
            self._position += frames.shape[1]
            frames[places] = comfort_noise(levels[places], frames.shape[1], self._position)


def fill_in(
    concealer: Concealer,
    rows: Rows,
    frames: Pcm,
    present: NDArray[np.bool_],
    due: NDArray[np.bool_],
    noise: ComfortNoise,
) -> Pcm:
    """``frames`` with what is missing of them filled in: ``present`` says of each sample whether it came.

    Nothing is missing where a stream is not ``due``: that is silence. Where the peer described its silence, that is
    what is heard.
    """
    complete = np.asarray(present.all(axis=1))
    partial = ~complete & present.any(axis=1)
    arrived = frames[partial]
    frames[~complete & ~due] = 0
    frames = concealer.process(rows, frames, ~complete & due)
    if noise.on:
        noise.fill(rows, frames, ~complete & ~partial & due)
    if partial.any():
        # Half a frame came (10 ms packets): keep it, and fill only the other half.
        frames[partial] = np.where(present[partial], arrived, frames[partial])
    return frames
