"""Whether what comes from a leg may be the echo of what was sent to it.

A hybrid or a loudspeaker sends back what we say, 20 to 40 dB weaker and 60 to 400 ms later; to a speech detector it
is speech, and an agent that stops for it interrupts itself. How much weaker and how late differs from line to line,
and is learned from levels alone: whatever delay it has, an echo is never weaker than its loss below what was sent.
So for every delay the loss is followed that the line would have to have. Where the loss so learned is small, frames
are expected that loud; for all other delays it soon grows, because we pause and the line is quiet, and they expect
nothing. A line without echo is known as one after about half a second of speech.

A frame that is louder than any echo can be is somebody's own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.turn.echo_gate_config import EchoGateConfig

_Rows = NDArray[np.intp]
_Levels = NDArray[np.float32]

FRAME_MS: Final = 20
_SILENCE_DBOV: Final = np.float32(-127)


class EchoGate:
    """Of ``capacity`` rows, one frame of 20 ms at a time."""

    def __init__(self, capacity: int, config: EchoGateConfig | None = None) -> None:
        self.config = config or EchoGateConfig()
        self._lags = self.config.longest_ms // FRAME_MS
        self._sent = np.full((capacity, self._lags + 1), _SILENCE_DBOV)
        """The newest first."""
        self._loss = np.full((capacity, self._lags), self.config.first_loss_db, np.float32)

    def reset(self, row: int) -> None:
        """The row belongs to another leg."""
        self._sent[row] = _SILENCE_DBOV
        self._loss[row] = self.config.first_loss_db

    def sent(self, rows: _Rows, levels_dbov: _Levels) -> None:
        """What is sent to each of ``rows`` in this tick."""
        history = self._sent[rows]
        history[:, 1:] = history[:, :-1].copy()
        history[:, 0] = levels_dbov
        self._sent[rows] = history

    def own(self, rows: _Rows, levels_dbov: _Levels) -> NDArray[np.bool_]:
        """Which of the frames that came in this tick are louder than an echo can be; learns from all of them."""
        config = self.config
        history = self._sent[rows]
        # A frame of echo is parts of two frames of ours, at most as loud as the louder one.
        loudest = np.maximum(history[:, 1:], history[:, :-1])
        if not (loudest > config.loud_dbov).any():
            return np.ones(len(rows), np.bool_)
        loss = self._loss[rows]
        expected = np.max(loudest - loss, axis=1) + config.margin_db
        heard = np.maximum(levels_dbov, config.floor_dbov)
        softest = np.minimum(history[:, 1:], history[:, :-1])
        shown = softest - heard[:, np.newaxis]
        own = np.asarray(levels_dbov > expected)
        down = np.where(own, config.own_down_db, config.down_db)[:, np.newaxis]
        change = np.clip(shown - loss, -down, config.up_db)
        taught = np.where(softest > config.loud_dbov, loss + change, loss)
        self._loss[rows] = np.clip(taught, 0, config.most_loss_db)
        return own

    def loss_db(self, row: int) -> float:
        """The loss of the echo of this line, as far as it is known; ``most_loss_db`` where there is none."""
        return float(self._loss[row].min())

    def delay_ms(self, row: int) -> float | None:
        """The delay of the echo of this line, from when a frame was sent to when it came back, to a frame or so;
        None where there is no echo, or none that could be told from the speech of others."""
        loss = self._loss[row]
        least = int(loss.argmin())
        if float(np.median(loss)) - loss[least] < self.config.clear_db:
            return None
        return (least + 1.5) * FRAME_MS
