"""Keys as tones in the audio, both ways, for peers with whom nothing better was agreed (ITU-T Q.23, Q.24)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from voicegw.audio.tones import DtmfDetector, DtmfPress, dtmf
from voicegw.media.config import FRAME_MS
from voicegw.media.filling import Pcm, Rows
from voicegw.media.leg import Leg
from voicegw.media.messages import DtmfSent, SendDtmf

_GAP_MS: Final = 100
"""Between two keys: Q.24 wants 40 ms, and some receivers more."""


@dataclass(slots=True)
class _Order:
    """Digits on their way to one leg."""

    command: SendDtmf
    frames: Iterator[Pcm]


class KeyTones:
    """Tones of the legs that have no telephone events."""

    def __init__(self, capacity: int) -> None:
        self._detector = DtmfDetector(capacity)
        self._orders: dict[int, list[_Order]] = {}

    def reset(self, row: int) -> None:
        """The row belongs to another leg."""
        self._detector.reset(row)
        self._orders.pop(row, None)

    def hear(self, rows: Rows, frames: Pcm) -> list[DtmfPress]:
        """The presses that ended in this tick; ``frames`` (rows, 160) are at 8 kHz."""
        return self._detector.process(rows, frames) if len(rows) else []

    def send(self, leg: Leg, command: SendDtmf) -> None:
        """Queue digits. While they sound, nothing else is sent to the leg."""
        rate_hz = 16000 if leg.wide_out else 8000
        samples = dtmf(command.digits, command.duration_ms, _GAP_MS, rate_hz)
        length = rate_hz * FRAME_MS // 1000
        padded = np.concatenate([samples, np.zeros(-len(samples) % length, np.int16)])
        self._orders.setdefault(leg.row, []).append(_Order(command, iter(padded.reshape(-1, length))))
        leg.toning = True

    def fill(self, legs: Sequence[Leg], frames: Pcm) -> list[DtmfSent]:
        """Put the tones of this tick in place of what was to be sent; the orders that are done."""
        if not self._orders:
            return []
        done: list[DtmfSent] = []
        for place, leg in enumerate(legs):
            orders = self._orders.get(leg.row)
            if not orders:
                continue
            frame = next(orders[0].frames, None)
            if frame is not None:
                frames[place] = frame
                continue
            frames[place] = 0
            done.append(DtmfSent(leg.leg_id, orders.pop(0).command.digits))
            if not orders:
                del self._orders[leg.row]
                leg.toning = False
        return done
