"""An hour of media time on a manual clock: what clocks that differ do to the delay, and ours to its deadlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.media.clock import TickClock
from voicegw.media.config import FRAME_MS, FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ, MediaConfig
from voicegw.media.fitting import LOOK_TICKS
from voicegw.rtp.jitter import JitterBank, JitterLimits
from voicegw.rtp.stats import ReceptionStats

PPM: Final = (-100, -20, 0, 20, 100)
"""How much faster the telephones' clocks run than ours: crystals differ by some tens."""
_TICKS_PER_MIN: Final = 3000
_SETTLED_MIN: Final = 2
_TALK_S: Final = 10
_PAUSE_S: Final = 4
"""Of every ten: in silence a frame may be left out unheard."""
_SPEECH_DBOV: Final = -20.0
_PAUSE_DBOV: Final = (-70.0, -45.0)
"""Of a silent line, and of one on which there is no silence: a car, music behind who speaks."""
_LATE_S: Final = 0.004
"""Up to so late our ticks begin, at random."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One telephone. ``grown_ms``: the mean delay of the last tenth of the time less that of the first tenth, the
    first two minutes left out. ``pause_dbov``: how loud the line is while nobody speaks."""

    ppm: int
    pause_dbov: float
    minutes: int
    delay_worst_ms: float
    delay_last_ms: float
    grown_ms: float
    concealed_frames: int

    def text(self) -> str:
        """For people."""
        return (
            f"clock {self.ppm:+4} ppm for {self.minutes} min, pauses of {self.pause_dbov:.0f} dBov: "
            f"delay {self.delay_last_ms:.1f} ms at the end, "
            f"{self.delay_worst_ms:.1f} at worst, grown by {self.grown_ms:+.1f}; "
            f"{self.concealed_frames} frames concealed"
        )


class _Telephones:
    """Steady streams of G.711 whose clocks differ from ours."""

    def __init__(self, ppm: Sequence[int], config: MediaConfig) -> None:
        count = len(ppm)
        limits = JitterLimits(
            *(getattr(config, f"jitter_{name}_ms") // FRAME_MS for name in ("start", "min", "max"))
        )
        self.bank = JitterBank(count, FRAME_SAMPLES, limits)
        self._stats = ReceptionStats(count)
        self._due = np.full(count, 0.005)
        self._spacing = FRAME_S * (1 - np.array(ppm) * 1e-6)
        self._sent = np.zeros(count, np.int64)
        self._packets = np.zeros((count, 12 + FRAME_SAMPLES), np.uint8)

    def arrive(self, now: float) -> None:
        """Whatever is due."""
        while (ready := np.flatnonzero(self._due <= now)).size:
            numbers = self._sent[ready]
            timestamps = numbers * FRAME_SAMPLES & 0xFFFFFFFF
            reception = self._stats.update(ready, numbers & 0xFFFF, timestamps, round(now * SAMPLE_RATE_HZ))
            lengths = np.full(len(ready), FRAME_SAMPLES)
            self.bank.insert(ready, timestamps, self._packets[: len(ready)], 12, lengths, reception)
            self._sent[ready] += 1
            self._due[ready] += self._spacing[ready]


def measure_drift(minutes: int, ppm: Sequence[int] = PPM) -> list[Drift]:
    """A row for each clock and kind of line; three minutes or more."""
    lines = [(part, pause) for pause in _PAUSE_DBOV for part in ppm]
    telephones = _Telephones([part for part, _ in lines], MediaConfig())
    rows, pauses = np.arange(len(lines), dtype=np.intp), np.array([pause for _, pause in lines], np.float32)
    bank, delays, speech = telephones.bank, [], np.full(len(lines), _SPEECH_DBOV, np.float32)
    for tick in range(minutes * _TICKS_PER_MIN):
        now = tick * FRAME_S
        telephones.arrive(now)
        bank.pull(rows)
        if tick % LOOK_TICKS == 0:
            adapted = bank.adapt(rows, pauses if now % _TALK_S < _PAUSE_S else speech, LOOK_TICKS)
            if adapted is not None:
                bank.pull(rows[adapted.shorter])
                bank.stand(rows[adapted.longer])
        if tick % 50 == 0 and tick >= _SETTLED_MIN * _TICKS_PER_MIN:
            delays.append([bank.delay_samples(row) / 8 for row in range(len(rows))])
    return _rows(lines, minutes, np.array(delays), bank)


def _rows(
    lines: Sequence[tuple[int, float]], minutes: int, delays: NDArray[np.float64], bank: JitterBank
) -> list[Drift]:
    tenth = max(1, len(delays) // 10)
    grown = delays[-tenth:].mean(axis=0) - delays[:tenth].mean(axis=0)
    return [
        Drift(
            *line,
            minutes,
            float(delays[:, row].max()),
            float(delays[-1, row]),
            round(float(grown[row]), 1),
            int(bank.concealed[row]) // FRAME_SAMPLES,
        )
        for row, line in enumerate(lines)
    ]


def deadline_drift_us(minutes: int) -> float:
    """How far our deadlines are from where they belong after so long, though each tick begins late."""
    late = np.random.default_rng(1).uniform(0, _LATE_S, minutes * _TICKS_PER_MIN)
    clock = TickClock(0.0, MediaConfig().catch_up_frames)
    for extra in late.tolist():
        clock.advance(clock.deadline + extra)
    return (clock.deadline - len(late) * FRAME_S) * 1e6
