"""G.722 of many streams, each a row: one after the other by a library, or side by side by compiled code.

Both give the same bits. The library is there always and costs the same for each stream; the other needs numba (the
extra ``g722``), half a second more at every start and some seconds at the first one, and from five streams on it
costs less: of two hundred a sixth (docs/decisions/0016).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.g722 import Decode, Decoder, Encode, Encoder
from voicegw.audio.g722_tables import PAST, Ints, fresh

_Pcm = NDArray[np.int16]
_Bytes = NDArray[np.uint8]
_Rows = Sequence[int] | NDArray[np.intp]


class G722Rows(Protocol):
    """Coders by row. A stream in either direction is begun before it is coded."""

    def begin_decoding(self, row: int) -> None:
        """A new stream comes; LocalError where the library is not installed."""
        ...

    def begin_encoding(self, row: int) -> None:
        """A new stream leaves; LocalError where the library is not installed."""
        ...

    def decode(self, rows: _Rows, codes: _Bytes) -> _Pcm:
        """Codes (n, m) of each of ``rows``, each row once, to (n, 2m) samples."""
        ...

    def encode(self, rows: _Rows, frames: _Pcm) -> _Bytes:
        """Samples (n, 2m) of each of ``rows``, each row once, to (n, m) codes."""
        ...


class LibraryRows:
    """Each row has objects of the library (:mod:`voicegw.audio.g722`)."""

    def __init__(self) -> None:
        self._decoders: dict[int, Decode] = {}
        self._encoders: dict[int, Encode] = {}

    def begin_decoding(self, row: int) -> None:
        """See :class:`G722Rows`."""
        self._decoders[row] = Decoder().decode_bytes

    def begin_encoding(self, row: int) -> None:
        """See :class:`G722Rows`."""
        self._encoders[row] = Encoder().encode

    def decode(self, rows: _Rows, codes: _Bytes) -> _Pcm:
        """See :class:`G722Rows`."""
        data, size, decoders = codes.tobytes(), codes.shape[1], self._decoders
        starts = range(0, len(data), size)
        pcm = [decoders[row](data[at : at + size]) for row, at in zip(_numbers(rows), starts, strict=True)]
        return np.frombuffer(bytearray().join(pcm), np.int16).reshape(len(rows), 2 * size)

    def encode(self, rows: _Rows, frames: _Pcm) -> _Bytes:
        """See :class:`G722Rows`."""
        encoders = self._encoders
        codes = b"".join([encoders[row](frame) for row, frame in zip(_numbers(rows), frames, strict=True)])
        return np.frombuffer(codes, np.uint8).reshape(len(rows), -1)


class _Kernels(Protocol):
    """:mod:`voicegw.audio.g722_kernels`."""

    def encode(self, state: Ints, past: Ints, rows: NDArray[np.int64], frames: _Pcm, codes: _Bytes) -> None: ...

    def decode(self, state: Ints, past: Ints, rows: NDArray[np.int64], codes: _Bytes, frames: _Pcm) -> None: ...


class CompiledRows:
    """All rows in the lanes of vector registers; ImportError without numba."""

    def __init__(self, capacity: int) -> None:
        """Compiles, or loads what was compiled before."""
        self._kernels = cast(_Kernels, import_module("voicegw.audio.g722_kernels"))
        self._coming, self._leaving = fresh(capacity), fresh(capacity)
        self._heard, self._said = np.zeros((capacity, PAST), np.int32), np.zeros((capacity, PAST), np.int32)
        # The first calls take milliseconds; what they leave behind is forgotten when a row begins.
        self.decode((0,), self.encode((0,), np.zeros((1, 2), np.int16)))

    def begin_decoding(self, row: int) -> None:
        """See :class:`G722Rows`."""
        self._coming[row], self._heard[row] = fresh(1)[0], 0

    def begin_encoding(self, row: int) -> None:
        """See :class:`G722Rows`."""
        self._leaving[row], self._said[row] = fresh(1)[0], 0

    def decode(self, rows: _Rows, codes: _Bytes) -> _Pcm:
        """See :class:`G722Rows`."""
        frames = np.empty((len(rows), 2 * codes.shape[1]), np.int16)
        given = np.require(codes, np.uint8, ("C", "W"))
        self._kernels.decode(self._coming, self._heard, np.array(rows, np.int64), given, frames)
        return frames

    def encode(self, rows: _Rows, frames: _Pcm) -> _Bytes:
        """See :class:`G722Rows`."""
        codes = np.empty((len(rows), frames.shape[1] // 2), np.uint8)
        given = np.require(frames, np.int16, ("C", "W"))
        self._kernels.encode(self._leaving, self._said, np.array(rows, np.int64), given, codes)
        return codes


def _numbers(rows: _Rows) -> Sequence[int]:
    """As Python counts."""
    return rows.tolist() if isinstance(rows, np.ndarray) else rows
