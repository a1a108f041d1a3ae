"""Counters and histograms of one process: what the code counts with, under names of its own.

Counting is a dictionary entry, a histogram a search among a dozen bounds besides: either may stand in a hot path.
How the world sees the names is said in one place, :mod:`voicegw.base.catalogue`. Single-threaded by design: each
process has its own registry, and a worker reports its own as a message.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from voicegw.base.catalogue import bounds_of


class HistogramState(msgspec.Struct, frozen=True, array_like=True):
    """How far a histogram is. ``counts``: observations by bucket, the last one above every bound; ``total``: their
    sum, in the unit of the bounds."""

    counts: tuple[int, ...]
    total: float


class Histogram:
    """Observations by size. ``bounds`` are upper bounds, inclusive, in rising order."""

    __slots__ = ("counts", "total", "_bounds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self._bounds = bounds

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def add(self, counts: Sequence[int], total: float) -> None:
        """Observations that somebody else made, with the same bounds; with other bounds they are dropped."""
        if len(counts) == len(self.counts):
            self.counts = [own + more for own, more in zip(self.counts, counts, strict=True)]
            self.total += total

    def state(self) -> HistogramState:
        """How far it is."""
        return HistogramState(tuple(self.counts), self.total)


class Counters:
    """Named counters and histograms, which only grow."""

    def __init__(self) -> None:
        self._values: Counter[str] = Counter()
        self._histograms: dict[str, Histogram] = {}

    def add(self, name: str, by: int = 1) -> None:
        """Count ``by`` more of ``name``."""
        self._values[name] += by

    def get(self, name: str) -> int:
        """The count so far; 0 for a name that never happened."""
        return self._values[name]

    def observe(self, name: str, value: float) -> None:
        """One more observation of the histogram ``name``: seconds, bytes, or what its catalogue entry says."""
        histogram = self._histograms.get(name)
        if histogram is None:
            histogram = self._histograms[name] = Histogram(bounds_of(name))
        histogram.observe(value)

    def merge(self, name: str, counts: Sequence[int], total: float) -> None:
        """Observations that were made elsewhere."""
        self._histograms.setdefault(name, Histogram(bounds_of(name))).add(counts, total)

    def snapshot(self) -> dict[str, int]:
        """A copy of all counts, under plain strings: packages name theirs by string enums. Any thread may ask."""
        return {str.__str__(name): count for name, count in dict(self._values).items()}

    def histograms(self) -> dict[str, HistogramState]:
        """How far all histograms are. Any thread may ask."""
        return {str.__str__(name): one.state() for name, one in dict(self._histograms).items()}


def difference(
    now: Mapping[str, HistogramState], before: Mapping[str, HistogramState]
) -> dict[str, HistogramState]:
    """What of ``now`` is new; histograms without anything new are left out."""
    new: dict[str, HistogramState] = {}
    for name, state in now.items():
        seen = before.get(name)
        if seen is None:
            new[name] = state
        elif seen != state:
            counts = tuple(more - less for more, less in zip(state.counts, seen.counts, strict=True))
            new[name] = HistogramState(counts, state.total - seen.total)
    return new
