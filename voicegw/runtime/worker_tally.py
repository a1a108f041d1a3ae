"""The media workers' counters and histograms as part of the node's own."""

from __future__ import annotations

from collections.abc import Mapping

from voicegw.base.metrics import Counters, HistogramState, difference


class WorkerTally:
    """A worker counts from zero and says how far it is; the node's counters go on when another takes its place."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._seen: dict[int, Mapping[str, int]] = {}
        self._measured: dict[int, Mapping[str, HistogramState]] = {}

    def take(
        self, worker: int, reported: Mapping[str, int], histograms: Mapping[str, HistogramState] | None = None
    ) -> None:
        """Add what is new since the last report of this worker, as ``media_<name>``; histograms bear that name."""
        seen = self._seen.get(worker, {})
        for name, value in reported.items():
            new = value - seen.get(name, 0)
            if new:
                self._counters.add(f"media_{name}", new)
        self._seen[worker] = dict(reported)
        if histograms:
            for name, new_ones in difference(histograms, self._measured.get(worker, {})).items():
                self._counters.merge(name, new_ones.counts, new_ones.total)
            self._measured[worker] = dict(histograms)

    def restart(self, worker: int) -> None:
        """The worker is gone; the next one in its place begins at zero."""
        self._seen.pop(worker, None)
        self._measured.pop(worker, None)
