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
from typing import Final

import numpy as np
from numpy.typing import NDArray

_Rows = NDArray[np.intp]
_Float = NDArray[np.float32]
_Positions = NDArray[np.int64]

SAMPLES_PER_MS: Final = 8
_NONE: Final = -1


@dataclass(frozen=True, slots=True)
class VadGateConfig:
    """Thresholds and times of the gate; 8 kHz."""

    onset_threshold: float = 0.1
    """Probability at which a window may be the beginning of speech, if what follows opens the gate: the first
    window of a word holds only a part of it, and the model hesitates for one or two windows."""
    open_threshold: float = 0.7
    """Probability that opens the gate. Measured on coughs, clicks, DTMF and busy tones: with 0.5 a few of them
    opened it, with 0.7 none; because of the low ``onset_threshold``, speech loses no time by it."""
    close_threshold: float = 0.35
    """Probability below which a window is a pause: lower than ``open_threshold``, so that weak syllables in the
    middle of a sentence do not chop it."""
    min_speech_ms: int = 64
    """Speech this long opens the gate: two windows, which a click or a knock on the microphone does not fill."""
    hang_over_ms: int = 200
    """Pause this long closes the gate: longer than the closure of a stop consonant (up to 150 ms), and the
    endpointing adds its own silence on top."""
    pause_ms: int = 96
    """Pause this long inside open speech is told at once: most are nothing, but some are the end of a turn, and
    whoever prepares an answer wins the time until the gate closes."""
    pre_roll_ms: int = 0
    """The reported onset is this much before the first speech window; measured, that window is right on average."""
    longest_onset_ms: int = 200
    """A hesitation longer than this before the gate opens is noise, not the beginning of the word."""
    level_margin_db: float = 3.0
    """Louder than the background by this much goes to the model: background noise varies by about 1 dB a window,
    and the model itself hears nothing below about 0 dB over the noise."""
    highest_floor_dbov: float = -45.0
    """Backgrounds louder than this are not gated at all: speech may hide in loud noise or in music."""
    quiet_dbov: float = -70.0
    """Quieter than this is an idle line (one step of G.711 is -72 dBov) and the background of a new leg."""
    floor_rise_db_per_s: float = 6.0
    """How fast the background estimate follows a noisier line; only the model's "not speech" lifts it."""
    tail_db: float = 36.0
    """Windows this much below the loudest one of the utterance are its dying away. The model hears speech for 50 to
    110 ms after the last sound that people hear; the gate stays open, but the speech ended before."""
    longest_tail_ms: int = 128
    """No more than this is taken for a tail: after a knock on the microphone a soft voice is still speech."""
    linger_ms: int = 320
    """The model goes on running this long after the level fell: its memory stays warm in short pauses."""


@dataclass(frozen=True, slots=True)
class GateEdge:
    """Speech of ``row`` started or stopped.

    ``position`` is the sample of the row's stream where it did, ``decided`` the sample at which that was known.
    """

    row: int
    started: bool
    position: int
    decided: int


class VadGate:
    """Gate state of ``capacity`` rows. Call :meth:`needs_model` for every full window, the model for the rows it
    names, and :meth:`update` with the result; rows that were not named need no update."""

    def __init__(self, capacity: int, config: VadGateConfig | None = None, window_samples: int = 256) -> None:
        self.config = config or VadGateConfig()
        self._window = window_samples
        self._rise_db = self.config.floor_rise_db_per_s * window_samples / (1000 * SAMPLES_PER_MS)
        self._linger_windows = -(-self.config.linger_ms * SAMPLES_PER_MS // window_samples)
        self._speaking = np.zeros(capacity, np.bool_)
        self._candidate = np.full(capacity, _NONE, np.int64)  # where the speech that is not yet long enough began
        self._voiced_end = np.zeros(capacity, np.int64)  # end of the last speech window
        self._loud_end = np.zeros(capacity, np.int64)  # end of the last one that was no tail
        self._peak = np.full(capacity, self.config.quiet_dbov, np.float32)  # the loudest window of the utterance
        self._earliest = np.zeros(capacity, np.int64)  # no onset before the last offset
        self._floor = np.full(capacity, self.config.quiet_dbov, np.float32)
        self._level = np.zeros(capacity, np.float32)  # full scale until told: without a level gate all is loud
        self._linger = np.zeros(capacity, np.int64)

    def reset(self, row: int) -> None:
        """Forget the past of a row: it belongs to another leg now, and its positions begin at 0 again."""
        self._speaking[row] = False
        self._candidate[row] = _NONE
        self._voiced_end[row] = self._loud_end[row] = self._earliest[row] = 0
        self._floor[row] = self._peak[row] = self.config.quiet_dbov
        self._level[row] = 0
        self._linger[row] = 0

    def is_speaking(self, row: int) -> bool:
        """Whether the gate of the row is open."""
        return bool(self._speaking[row])

    def needs_model(self, rows: _Rows, levels_dbov: _Float) -> NDArray[np.bool_]:
        """Which of ``rows`` need the model for this window, whose levels are ``levels_dbov``; in doubt, yes."""
        config = self.config
        floor = np.maximum(np.minimum(self._floor[rows], levels_dbov), config.quiet_dbov)
        self._floor[rows] = floor
        self._level[rows] = levels_dbov
        loud = levels_dbov >= self._threshold(floor)
        busy = self._speaking[rows] | (self._candidate[rows] != _NONE)
        linger = np.where(loud | busy, self._linger_windows, np.maximum(self._linger[rows] - 1, 0))
        self._linger[rows] = linger
        return linger > 0

    def update(self, rows: _Rows, probabilities: _Float, ends: _Positions) -> list[GateEdge]:
        """Take the model's verdict on one window of each row, which ends before sample ``ends`` of that row.

        Returns the edges in row order; starts and stops of a row alternate, beginning with a start.
        """
        config = self.config
        speaking = self._speaking[rows]
        self._learn_floor(rows, ~speaking & (probabilities < config.close_threshold))
        loud = self._level[rows] >= self._threshold(self._floor[rows])
        voiced = loud & (probabilities >= config.close_threshold)
        candidate = self._candidates(rows, ends, ~speaking & loud & (probabilities >= config.onset_threshold))
        opens = (candidate != _NONE) & (probabilities >= config.open_threshold)
        opens &= ends - candidate >= config.min_speech_ms * SAMPLES_PER_MS
        voiced_end = np.where(voiced, ends, self._voiced_end[rows])
        closes = speaking & (ends - voiced_end >= config.hang_over_ms * SAMPLES_PER_MS)
        onsets = np.maximum(candidate - config.pre_roll_ms * SAMPLES_PER_MS, self._earliest[rows])
        offsets = self._offsets(rows, ends, speaking | (candidate != _NONE), voiced, voiced_end)
        self._voiced_end[rows] = voiced_end
        self._candidate[rows[opens]] = _NONE
        self._speaking[rows] = (speaking | opens) & ~closes
        self._earliest[rows] = np.where(closes, voiced_end, self._earliest[rows])
        return [
            GateEdge(int(rows[i]), bool(opens[i]), int(onsets[i] if opens[i] else offsets[i]), int(ends[i]))
            for i in np.flatnonzero(opens | closes)
        ]

    def pauses(self, rows: _Rows, ends: _Positions) -> list[GateEdge]:
        """Which rows, after :meth:`update` with the same windows, have just been silent for ``pause_ms`` with the
        gate still open; ``position`` is where the speech ended if no more comes."""
        silent = ends - self._voiced_end[rows]
        needed = self.config.pause_ms * SAMPLES_PER_MS
        now = self._speaking[rows] & (silent >= needed) & (silent < needed + self._window)
        return [
            GateEdge(int(rows[i]), False, int(self._loud_end[rows[i]]), int(ends[i])) for i in np.flatnonzero(now)
        ]

    def close(self, row: int, position: int) -> GateEdge | None:
        """Close the gate of a leg that ends or goes on hold at ``position``: its stop, if it spoke."""
        self._candidate[row] = _NONE
        if not self._speaking[row]:
            return None
        self._speaking[row] = False
        self._earliest[row] = self._voiced_end[row]
        return GateEdge(row, False, int(self._loud_end[row]), position)

    def _offsets(
        self,
        rows: _Rows,
        ends: _Positions,
        busy: NDArray[np.bool_],
        voiced: NDArray[np.bool_],
        voiced_end: _Positions,
    ) -> _Positions:
        """Where the speech ended if no more comes: after the last window that was not just dying away."""
        level = self._level[rows]
        peak = np.where(
            busy, np.maximum(self._peak[rows], np.where(voiced, level, -np.inf)), self.config.quiet_dbov
        )
        self._peak[rows] = peak
        loud_end = np.where(voiced & (level >= peak - self.config.tail_db), ends, self._loud_end[rows])
        loud_end = np.maximum(loud_end, voiced_end - self.config.longest_tail_ms * SAMPLES_PER_MS)
        self._loud_end[rows] = loud_end
        return loud_end

    def _candidates(self, rows: _Rows, ends: _Positions, likely: NDArray[np.bool_]) -> _Positions:
        """Where the stretch of ``likely`` windows that goes on now began, or -1."""
        before = self._candidate[rows]
        begun = np.where(before == _NONE, np.maximum(ends - self._window, 0), before)
        begun = np.maximum(begun, ends - self.config.longest_onset_ms * SAMPLES_PER_MS)
        candidates = np.where(likely, begun, _NONE)
        self._candidate[rows] = candidates
        return candidates

    def _threshold(self, floor: _Float) -> _Float:
        """What is quieter than this is background."""
        threshold: _Float = np.minimum(floor + self.config.level_margin_db, self.config.highest_floor_dbov)
        return threshold

    def _learn_floor(self, rows: _Rows, idle: NDArray[np.bool_]) -> None:
        """Let the background follow upwards where the model heard no speech."""
        quiet = rows[idle]
        self._floor[quiet] = np.minimum(self._floor[quiet] + self._rise_db, self._level[quiet])
