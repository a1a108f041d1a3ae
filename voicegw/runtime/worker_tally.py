"""The media worker's counters as part of the node's own."""

from __future__ import annotations

from collections.abc import Mapping

from voicegw.base.metrics import Counters


class WorkerTally:
    """A worker counts from zero and says how far it is; the node's counters go on when another takes its place."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._seen: dict[str, int] = {}

    def take(self, reported: Mapping[str, int]) -> None:
        """Add what is new since the last report, as ``media_<name>``."""
        for name, value in reported.items():
            new = value - self._seen.get(name, 0)
            if new:
                self._counters.add(f"media_{name}", new)
        self._seen = dict(reported)

    def restart(self) -> None:
        """The worker is gone; the next one begins at zero."""
        self._seen = {}
