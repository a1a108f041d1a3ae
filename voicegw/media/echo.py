"""What goes to each leg and what comes back of it: see :mod:`voicegw.turn.echo_gate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.levels import SILENCE_DBOV, level_dbov
from voicegw.media.config import MediaConfig
from voicegw.media.filling import Pcm, Rows
from voicegw.media.leg import Leg
from voicegw.turn.echo_gate import EchoGate
from voicegw.turn.echo_gate_config import EchoGateConfig


class EchoWatch:
    """Feeds the echo gate with the levels of all legs of the worker."""

    def __init__(self, capacity: int, config: EchoGateConfig) -> None:
        self._capacity = capacity
        self._gate = _gate(capacity, config)
        self._levels = np.full(capacity, SILENCE_DBOV, np.float32)
        self._rows: dict[int, tuple[Sequence[Leg], Rows]] = {}
        """By place among those shipped: some legs, and their rows. The legs are the same objects for long."""

    def use(self, config: MediaConfig) -> None:
        """Other settings from now on. What is known of running lines is learned anew if delays are other ones."""
        wanted = config.echo
        if self._gate is not None and self._gate.config.longest_ms == wanted.longest_ms:
            self._gate.config = wanted
        else:
            self._gate = _gate(self._capacity, wanted)

    def reset(self, row: int) -> None:
        """The row belongs to another leg."""
        if self._gate is not None:
            self._gate.reset(row)

    def sent(self, rows: Rows, *shipped: tuple[Sequence[Leg], Pcm]) -> None:
        """The frames (legs, samples) of this tick; what is sent to the rest of ``rows`` is silence."""
        if self._gate is None:
            return
        self._levels[rows] = SILENCE_DBOV
        for place, (legs, frames) in enumerate(shipped):
            if legs:
                self._levels[self._rows_of(place, legs)] = level_dbov(frames)
        self._gate.sent(rows, self._levels[rows])

    def _rows_of(self, place: int, legs: Sequence[Leg]) -> Rows:
        known = self._rows.get(place)
        if known is None or known[0] is not legs:
            known = self._rows[place] = legs, np.array([leg.row for leg in legs], np.intp)
        return known[1]

    def own(self, rows: Rows, frames: Pcm) -> NDArray[np.bool_] | None:
        """Which of the frames that came are more than echo can be; None where nobody asks."""
        return self._gate.own(rows, level_dbov(frames)) if self._gate is not None else None


def _gate(capacity: int, config: EchoGateConfig) -> EchoGate | None:
    return EchoGate(capacity, config) if config.longest_ms else None
