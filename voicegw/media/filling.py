"""What is played where nothing came: the part of the decoding that all codecs without a concealment share."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.plc import Concealer

Rows = NDArray[np.intp]
Pcm = NDArray[np.int16]

QUIET_DBOV: Final = -50.0
"""Skipping a frame of this level is not heard."""
THIN_TICKS: Final = 10
"""The jitter buffers are looked at, whether they can be thinner, once in so many ticks."""


def fill_in(
    concealer: Concealer, rows: Rows, frames: Pcm, present: NDArray[np.bool_], due: NDArray[np.bool_]
) -> Pcm:
    """``frames`` with what is missing of them filled in: ``present`` says of each sample whether it came.

    Nothing is missing where a stream is not ``due``: that is silence.
    """
    complete = np.asarray(present.all(axis=1))
    partial = ~complete & present.any(axis=1)
    arrived = frames[partial]
    frames[~complete & ~due] = 0
    frames = concealer.process(rows, frames, ~complete & due)
    if partial.any():
        # Half a frame came (10 ms packets): keep it, and fill only the other half.
        frames[partial] = np.where(present[partial], arrived, frames[partial])
    return frames
