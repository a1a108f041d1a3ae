"""The rows whose codec samples at 16 kHz: each has coders of its own, called one after the other.

They share everything else with the other rows: what is received waits in the same jitter buffer, as G.722 is one
byte for each tick of a clock of 8 kHz, like G.711 (RFC 3551 §4.5.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import g722
from voicegw.audio.levels import level_dbov
from voicegw.audio.plc import Concealer
from voicegw.media.config import WIDE_FRAME_SAMPLES, WIDE_HZ
from voicegw.media.filling import QUIET_DBOV, THIN_TICKS, Pcm, Rows, fill_in
from voicegw.rtp.jitter import JitterBank, Pulled

G722: Final = "G722"
CODECS: Final = frozenset((G722,))


class WideBank:
    """What is particular about them."""

    def __init__(self, capacity: int, jitter: JitterBank) -> None:
        self._jitter = jitter
        self._concealer = Concealer(capacity, WIDE_HZ)
        self._decoders: dict[int, g722.Decoder] = {}
        self._encoders: dict[int, g722.Encoder] = {}
        self._pulls = 0

    def begin_receiving(self, row: int) -> None:
        """What the row receives is G.722 from now on; LocalError where the library is not installed."""
        self._decoders[row] = g722.Decoder()
        self._concealer.reset(row)

    def begin_sending(self, row: int) -> None:
        """What the row sends is G.722 from now on; LocalError where the library is not installed."""
        self._encoders[row] = g722.Encoder()

    def forget(self, row: int) -> None:
        """The leg is over."""
        self._decoders.pop(row, None)
        self._encoders.pop(row, None)

    def frames(self, rows: Rows) -> Pcm:
        """What each of ``rows`` says in this tick, (n, 320): decoded, concealed, or silence without a stream."""
        pulled = self._jitter.pull(rows)
        frames = np.zeros((len(rows), WIDE_FRAME_SAMPLES), np.int16)
        for place, row in enumerate(rows.tolist()):
            self._decode(row, pulled, place, frames[place])
        if pulled.due is None:
            self._concealer.process(rows, frames, None)
        else:
            fill_in(self._concealer, rows, frames, np.repeat(pulled.present, 2, axis=1), pulled.due)
        self._pulls += 1
        if self._pulls % THIN_TICKS == 0:
            self._jitter.thin(rows, level_dbov(frames) < QUIET_DBOV, THIN_TICKS)
        return frames

    def _decode(self, row: int, pulled: Pulled, place: int, frame: Pcm) -> None:
        codes, present = pulled.codes[place], pulled.present[place]
        if pulled.due is None or present.all():
            frame[:] = self._decoders[row].decode(codes.tobytes())
        elif present.any():
            frame[np.repeat(present, 2)] = self._decoders[row].decode(codes[present].tobytes())

    def encode(self, rows: Sequence[int], frames: Pcm) -> NDArray[np.uint8]:
        """A frame each of (n, 320) as (n, 160) codes."""
        encoders = self._encoders
        codes = b"".join([encoders[row].encode(frame) for row, frame in zip(rows, frames, strict=True)])
        return np.frombuffer(codes, np.uint8).reshape(len(rows), -1)
