"""The metrics page of a node, read back: values by name and label, and quantiles of what came between two pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scrape:
    """One page; ``at`` is monotonic seconds."""

    at: float
    samples: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of a name that have these labels; 0 without any."""
        wanted = set(labels.items())
        return sum(value for found, value in self.samples.get(name, {}).items() if wanted <= set(found))

    def by(self, name: str, label: str) -> dict[str, float]:
        """The values of a name by one label."""
        return {dict(found).get(label, ""): value for found, value in self.samples.get(name, {}).items()}


def read_page(text: str, at: float) -> Scrape:
    """A page in text exposition format 0.0.4; lines that are no samples are passed over."""
    samples: dict[str, dict[Labels, float]] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is not None:
            name, labels, value = match.groups()
            read = tuple((label, _ESCAPED.sub(_unescaped, text)) for label, text in _LABEL.findall(labels or ""))
            samples.setdefault(name, {})[read] = float(value)
    return Scrape(at, samples)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match.group(1) == "n" else match.group(1)


def rate(now: Scrape, before: Scrape, name: str, **labels: str) -> float:
    """How fast a counter grew, a second; 0 between a page and itself, and after a restart."""
    if now.at <= before.at:
        return 0.0
    return max(0.0, now.value(name, **labels) - before.value(name, **labels)) / (now.at - before.at)


def quantile(now: Scrape, before: Scrape | None, name: str, q: float, **labels: str) -> float | None:
    """Of a histogram, of what was observed since ``before`` (None: ever); None where nothing was.

    Interpolated within a bucket, as Prometheus does; what lies above every bound is the highest bound.
    """
    buckets = _buckets(now, name, labels)
    if before is not None:
        earlier = _buckets(before, name, labels)
        buckets = {bound: count - earlier.get(bound, 0.0) for bound, count in buckets.items()}
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank, low, under = q * buckets[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank and buckets[bound] > under:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (rank - under) / (buckets[bound] - under)
        low, under = bound, buckets[bound]
    return low


def _buckets(page: Scrape, name: str, labels: Mapping[str, str]) -> dict[float, float]:
    """Cumulative counts by upper bound, of all series with these labels together."""
    wanted, found = set(labels.items()), dict[float, float]()
    for series, value in page.samples.get(f"{name}_bucket", {}).items():
        if wanted <= set(series):
            bound = float(dict(series)["le"])
            found[bound] = found.get(bound, 0.0) + value
    return found
