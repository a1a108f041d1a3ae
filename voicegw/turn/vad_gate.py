"""From speech probabilities to "speech started" and "speech stopped", for all legs at once.

The gate is a hysteresis over windows of a :class:`~voicegw.ports.vad.VadModel` (32 ms for Silero). It opens when
windows have been speech for ``min_speech_ms`` and closes when none was for ``hang_over_ms``; the edges it reports
carry the position where the speech really began and ended, not where that was noticed.

In front of the model stands a level gate: most legs are quiet most of the time, and a window of the model costs
more than everything else that is done for a leg in a tick. It only ever saves work on quiet lines: whatever is
louder than the line's own background, or louder than any background should be, goes to the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.turn.vad_gate_config import VadGateConfig

_Rows = NDArray[np.intp]
_Float = NDArray[np.float32]
_Positions = NDArray[np.int64]

SAMPLES_PER_MS: Final = 8
_NONE: Final = -1
BLOCKS: Final = 4
"""Parts of a window whose levels tell where in it the speech ended: 8 ms of Silero's 32."""


@dataclass(frozen=True, slots=True)
class GateEdge:
    """Speech of ``row`` started or stopped.

    ``position`` is the sample of the row's stream where it did, ``decided`` the sample at which that was known.
    """

    row: int
    started: bool
    position: int
    decided: int


@dataclass(slots=True)
class _Line:
    """What the gate knows of one row; positions in samples."""

    floor: float
    """Level of the background, dBov."""
    peak: float
    """The loudest window of the utterance."""
    level: float = 0.0
    """Of the newest window: full scale until told, so that without a level gate all is loud."""
    linger: int = 0
    """Windows for which the model still runs."""
    speaking: bool = False
    candidate: int = _NONE
    """Where the speech that is not yet long enough began."""
    voiced_end: int = 0
    """End of the last speech window."""
    loud_end: int = 0
    """End of the last one that was no tail."""
    earliest: int = 0
    """No onset before the last offset."""


class VadGate:
    """Gate state of ``capacity`` rows. Call :meth:`needs_model` for every full window, the model for the rows it
    names, and :meth:`update` with the result; rows that were not named need no update.

    Plain numbers, one row after another: some sixty array operations took longer for any number of talkers that a
    worker carries.
    """

    def __init__(self, capacity: int, config: VadGateConfig | None = None, window_samples: int = 256) -> None:
        self._window = window_samples
        self.use(config or VadGateConfig())
        self._lines = [self._new_line() for _ in range(capacity)]

    def use(self, config: VadGateConfig) -> None:
        """Other settings from the next window on; what is known of the rows stays."""
        self.config = config
        self._rise_db = config.floor_rise_db_per_s * self._window / (1000 * SAMPLES_PER_MS)
        self._linger_windows = -(-config.linger_ms * SAMPLES_PER_MS // self._window)

    def _new_line(self) -> _Line:
        return _Line(floor=self.config.quiet_dbov, peak=self.config.quiet_dbov)

    def reset(self, row: int) -> None:
        """Forget the past of a row: it belongs to another leg now, and its positions begin at 0 again."""
        self._lines[row] = self._new_line()

    def is_speaking(self, row: int) -> bool:
        """Whether the gate of the row is open."""
        return self._lines[row].speaking

    def needs_model(self, rows: _Rows, levels_dbov: _Float) -> NDArray[np.bool_]:
        """Which of ``rows`` need the model for this window, whose levels are ``levels_dbov``; in doubt, yes."""
        lines, quiet = self._lines, self.config.quiet_dbov
        needed: list[bool] = []
        for row, level in zip(rows.tolist(), levels_dbov.tolist(), strict=True):
            line = lines[row]
            line.level = level
            line.floor = max(min(line.floor, level), quiet)
            if line.speaking or line.candidate != _NONE or level >= self._threshold(line.floor):
                line.linger = self._linger_windows
            elif line.linger:
                line.linger -= 1
            needed.append(line.linger > 0)
        return np.array(needed, np.bool_)

    def update(
        self, rows: _Rows, probabilities: _Float, ends: _Positions, blocks_dbov: _Float | None = None
    ) -> list[GateEdge]:
        """Take the model's verdict on one window of each row, which ends before sample ``ends`` of that row.

        ``blocks_dbov``, of shape (rows, ``BLOCKS``), are the levels of the window's parts; without them speech ends
        with a window. Returns the edges in row order; starts and stops of a row alternate, beginning with a start.
        """
        blocks = repeat([]) if blocks_dbov is None else iter(blocks_dbov.tolist())
        edges = map(self._judge, rows.tolist(), probabilities.tolist(), ends.tolist(), blocks)
        return [edge for edge in edges if edge is not None]

    def _judge(self, row: int, probability: float, end: int, blocks: list[float]) -> GateEdge | None:
        """One window of one row; its edge, if it is one."""
        config, line = self.config, self._lines[row]
        if not line.speaking and probability < config.close_threshold:
            line.floor = min(line.floor + self._rise_db, line.level)  # up to where the model heard no speech
        loud = line.level >= self._threshold(line.floor)
        self._follow_candidate(line, end, likely=loud and probability >= config.onset_threshold)
        self._follow_offset(line, end, blocks, voiced=loud and probability >= config.close_threshold)
        if line.speaking:
            if end - line.voiced_end < config.hang_over_ms * SAMPLES_PER_MS:
                return None
            line.speaking, line.earliest = False, line.voiced_end
            return GateEdge(row, False, line.loud_end, end)
        if line.candidate == _NONE or probability < config.open_threshold:
            return None
        if end - line.candidate < config.min_speech_ms * SAMPLES_PER_MS:
            return None
        onset = max(line.candidate - config.pre_roll_ms * SAMPLES_PER_MS, line.earliest)
        line.speaking, line.candidate = True, _NONE
        return GateEdge(row, True, onset, end)

    def pauses(self, rows: _Rows, ends: _Positions) -> list[GateEdge]:
        """Which rows, after :meth:`update` with the same windows, have just been silent for ``pause_ms`` with the
        gate still open; ``position`` is where the speech ended if no more comes."""
        needed = self.config.pause_ms * SAMPLES_PER_MS
        paused: list[GateEdge] = []
        for row, end in zip(rows.tolist(), ends.tolist(), strict=True):
            line = self._lines[row]
            if line.speaking and needed <= end - line.voiced_end < needed + self._window:
                paused.append(GateEdge(row, False, line.loud_end, end))
        return paused

    def close(self, row: int, position: int) -> GateEdge | None:
        """Close the gate of a leg that ends or goes on hold at ``position``: its stop, if it spoke."""
        line = self._lines[row]
        line.candidate = _NONE
        if not line.speaking:
            return None
        line.speaking, line.earliest = False, line.voiced_end
        return GateEdge(row, False, line.loud_end, position)

    def _follow_candidate(self, line: _Line, end: int, *, likely: bool) -> None:
        """Where the stretch of ``likely`` windows that goes on now began."""
        if line.speaking or not likely:
            line.candidate = _NONE
            return
        begun = line.candidate if line.candidate != _NONE else max(end - self._window, 0)
        line.candidate = max(begun, end - self.config.longest_onset_ms * SAMPLES_PER_MS)

    def _follow_offset(self, line: _Line, end: int, blocks: list[float], *, voiced: bool) -> None:
        """Where the speech ended if no more comes: after the last part of a window that was not just dying away."""
        if not line.speaking and line.candidate == _NONE:
            line.peak = self.config.quiet_dbov
        elif voiced:
            line.peak = max(line.peak, line.level)
        if voiced:
            line.voiced_end = end
            tail = line.peak - self.config.tail_db
            if line.level >= tail:
                quiet = next((count for count, level in enumerate(reversed(blocks)) if level >= tail), 0)
                line.loud_end = end - quiet * self._window // BLOCKS
        line.loud_end = max(line.loud_end, line.voiced_end - self.config.longest_tail_ms * SAMPLES_PER_MS)

    def _threshold(self, floor: float) -> float:
        """What is quieter than this is background."""
        return min(floor + self.config.level_margin_db, self.config.highest_floor_dbov)
