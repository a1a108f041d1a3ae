"""What goes to each leg and what comes back of it: see :mod:`voicegw.turn.echo_gate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.levels import SILENCE_DBOV, level_dbov
from voicegw.media.filling import Pcm, Rows
from voicegw.media.leg import Leg
from voicegw.turn.echo_gate import EchoGate
from voicegw.turn.echo_gate_config import EchoGateConfig


class EchoWatch:
    """Feeds the echo gate with the levels of all legs of the worker."""

    def __init__(self, capacity: int, config: EchoGateConfig) -> None:
        self._gate = EchoGate(capacity, config) if config.longest_ms else None
        self._levels = np.full(capacity, SILENCE_DBOV, np.float32)

    def reset(self, row: int) -> None:
        """The row belongs to another leg."""
        if self._gate is not None:
            self._gate.reset(row)

    def sent(self, rows: Rows, *shipped: tuple[Sequence[Leg], Pcm]) -> None:
        """The frames (legs, samples) of this tick; what is sent to the rest of ``rows`` is silence."""
        if self._gate is None:
            return
        self._levels[rows] = SILENCE_DBOV
        for legs, frames in shipped:
            if legs:
                self._levels[[leg.row for leg in legs]] = level_dbov(frames)
        self._gate.sent(rows, self._levels[rows])

    def own(self, rows: Rows, frames: Pcm) -> NDArray[np.bool_] | None:
        """Which of the frames that came are more than echo can be; None where nobody asks."""
        return self._gate.own(rows, level_dbov(frames)) if self._gate is not None else None
