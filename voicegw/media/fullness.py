"""Whether a media worker can take another call, by what it reports of its ticks."""

from __future__ import annotations

from typing import Final

from voicegw.media.messages import WorkerReport

_WEIGHT: Final = 0.25
"""Of the newest report: what happened a second ago counts for a third."""
_RELIEF: Final = 0.9
"""It must get so much better before it takes calls again: a worker at the edge would say yes and no by turns."""


class Fullness:
    """Of one worker: moving averages of its busy time and of its late ticks."""

    def __init__(self, busy_limit: float, late_limit: float) -> None:
        """Shares from 0 to 1; see :class:`voicegw.media.config.MediaConfig`."""
        self.busy_limit, self.late_limit = busy_limit, late_limit
        self.restart()

    def restart(self) -> None:
        """Another process took its place."""
        self.busy = self.late = 0.0
        self.full = False

    def take(self, report: WorkerReport) -> None:
        """A report, several a second."""
        self.busy += _WEIGHT * (report.busy_ratio - self.busy)
        self.late += _WEIGHT * (report.late_ticks / max(report.ticks, 1) - self.late)
        scale = _RELIEF if self.full else 1.0
        at_work = self.busy >= self.busy_limit * scale
        # A worker with little to do that is late all the same is held up by others: fewer calls would not help.
        behind = self.late >= self.late_limit * scale and self.busy >= self.busy_limit / 2
        self.full = at_work or behind
