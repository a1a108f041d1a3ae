"""When the ticks are due: absolute deadlines, bounded catch-up, and a log of how late they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voicegw.media.config import FRAME_S

_LATE_S: Final = 0.002
"""A tick that begins this much after its deadline is counted as late."""


class TickClock:
    """Deadlines every 20 ms from ``start``. Lateness never adds up: each deadline comes from the one before."""

    def __init__(self, start: float, catch_up_frames: int) -> None:
        self._deadline = start
        self.catch_up_frames = catch_up_frames

    @property
    def deadline(self) -> float:
        """When the next tick is due."""
        return self._deadline

    def advance(self, now: float) -> int:
        """The tick that was due begins at ``now``. Returns frames to give up first: what is too late to catch up.

        Up to the bound, late ticks follow each other at once; beyond it the time is lost and the deadlines start
        anew, because a burst of old audio helps nobody.
        """
        behind = now - self._deadline
        lost = 0
        if behind > self.catch_up_frames * FRAME_S:
            lost = int(behind / FRAME_S)
            self._deadline += lost * FRAME_S
        self._deadline += FRAME_S
        return lost


@dataclass(frozen=True, slots=True)
class TickSummary:
    """Ticks since the last summary."""

    ticks: int
    late: int
    worst_lateness_ms: float
    busy_ratio: float


class TickLog:
    """Lateness and load, for the report to the gateway."""

    def __init__(self, now: float) -> None:
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._since = now
        self._ticks = 0
        self._late = 0
        self._worst_s = 0.0
        self._busy_s = 0.0

    def add(self, lateness_s: float, busy_s: float) -> None:
        """One tick began ``lateness_s`` after its deadline and took ``busy_s``."""
        self._ticks += 1
        self._late += lateness_s > _LATE_S
        self._worst_s = max(self._worst_s, lateness_s)
        self._busy_s += busy_s

    def take(self, now: float) -> TickSummary:
        """Sum up and start over."""
        span = max(now - self._since, 1e-9)
        summary = TickSummary(self._ticks, self._late, self._worst_s * 1000, min(1.0, self._busy_s / span))
        self._begin(now)
        return summary
