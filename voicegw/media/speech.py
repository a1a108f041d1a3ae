"""Speech on the legs: windows, the model (for those loud enough), the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.levels import level_dbov, to_float
from voicegw.audio.windows import WindowAssembler
from voicegw.media.config import FRAME_SAMPLES, SAMPLE_RATE_HZ, MediaConfig
from voicegw.media.filling import Pcm, Rows
from voicegw.ports.vad import VadModel
from voicegw.turn.vad_gate import BLOCKS, GateEdge, VadGate

_ECHO_HOLD: Final = 1600
"""Samples: who is speaking goes on speaking for so long below what an echo may be, as in a weak syllable."""


@dataclass(frozen=True, slots=True)
class SpeechEdge:
    """Speech of a row began or ended at ``at`` (monotonic seconds), which was before it was noticed.

    The frames that are fed count as arriving when they are: what a jitter buffer kept them is not in ``at``.
    """

    row: int
    started: bool
    at: float
    pause: bool = False
    """Not an end yet: the speech has paused, and may be over."""


class SpeechDetector:
    """Voice activity of the rows it is given each tick."""

    def __init__(self, config: MediaConfig, model: VadModel) -> None:
        self._model = model
        self._gate = VadGate(config.max_legs, config.vad, model.window_samples)
        self._windows = WindowAssembler(config.max_legs, model.window_samples, FRAME_SAMPLES)
        self._own_at = np.zeros(config.max_legs, np.int64)
        self.speaking = np.zeros(config.max_legs, np.bool_)
        """Whether the gate of each row is open."""
        self.windows_seen = 0
        self.windows_modelled = 0

    def use(self, config: MediaConfig) -> None:
        """Other settings from now on."""
        self._gate.use(config.vad)

    def reset(self, row: int) -> None:
        """The row belongs to another leg, or begins anew."""
        self._own_at[row] = 0
        self.speaking[row] = False
        self._model.reset(row)
        self._gate.reset(row)
        self._windows.reset(row)

    def close(self, row: int, now: float) -> SpeechEdge | None:
        """The leg ends or goes on hold: the end of its speech, if it was speaking."""
        edge = self._gate.close(row, int(self._windows.fed[row]))
        return self._edge(edge, now) if edge else None

    def process(
        self, rows: Rows, frames: Pcm, now: float, own: NDArray[np.bool_] | None = None
    ) -> list[SpeechEdge]:
        """Feed one frame of each row that arrived up to ``now``.

        ``own`` says which of them are more than an echo of ours can be; a window with none of those is no speech.
        """
        full, windows, ends = self._windows.push(rows, frames)
        if own is not None:
            self._own_at[rows] = np.where(own, self._windows.fed[rows], self._own_at[rows])
        if not len(full):
            return []
        needed = self._gate.needs_model(full, level_dbov(windows))
        self.windows_seen += len(full)
        if not needed.any():
            return []
        asked = full[needed]
        self.windows_modelled += len(asked)
        heard = windows[needed]
        probabilities = self._model.probabilities(asked, to_float(heard))
        if own is not None:
            own_until = self._own_at[asked] + _ECHO_HOLD * self.speaking[asked]
            is_echo = own_until <= ends[needed] - self._model.window_samples
            probabilities = np.where(is_echo, np.float32(0), probabilities)
        blocks = level_dbov(heard.reshape(len(asked) * BLOCKS, -1)).reshape(-1, BLOCKS)
        edges = [self._edge(edge, now) for edge in self._gate.update(asked, probabilities, ends[needed], blocks)]
        pauses = self._gate.pauses(asked, ends[needed])
        return [*edges, *(self._edge(edge, now, pause=True) for edge in pauses)]

    def _edge(self, edge: GateEdge, now: float, *, pause: bool = False) -> SpeechEdge:
        self.speaking[edge.row] = edge.started if not pause else self.speaking[edge.row]
        ago = (int(self._windows.fed[edge.row]) - edge.position) / SAMPLE_RATE_HZ
        return SpeechEdge(edge.row, edge.started, now - ago, pause)
