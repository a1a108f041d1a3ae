"""Every metric that ``/metrics`` can show: the one place where names, labels, units and words are.

``docs/operations.md`` is this catalogue as a table. Names are stable: dashboards and alerts stand on them. Labels
are bounded by the configuration or by an enumeration here, never by what a caller or a peer says.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from voicegw.base.catalogue.calls import CALLS
from voicegw.base.catalogue.cluster import CLUSTER
from voicegw.base.catalogue.media import MEDIA
from voicegw.base.catalogue.metric import ANY, SIGNALLING_S, Kind, Metric
from voicegw.base.catalogue.node import NODE
from voicegw.base.catalogue.sip import SIP
from voicegw.base.catalogue.speech import SPEECH

__all__ = ["CALLS", "CATALOGUE", "CLUSTER", "MEDIA", "NODE", "SIP", "SPEECH", "Kind", "Metric", "bounds_of", "find"]

CATALOGUE: Final[tuple[Metric, ...]] = (*CALLS, *SIP, *MEDIA, *SPEECH, *NODE, *CLUSTER)
_EXACT: Final = {source: metric for metric in CATALOGUE for source in metric.sources if ANY not in source}
_PATTERNS: Final = sorted(
    ((source.partition(ANY), metric) for metric in CATALOGUE for source in metric.sources if ANY in source),
    key=lambda pattern: -len(pattern[0][0]) - len(pattern[0][2]),
)
"""Beginning and end of each source with a place for a label, the longest first."""


@lru_cache(maxsize=4096)
def find(source: str) -> tuple[Metric, str] | None:
    """The metric that a name in the code belongs to, and the value of its label; None for an unknown name."""
    if (exact := _EXACT.get(source)) is not None:
        return exact, _label_value(exact, source)
    for (begin, _, end), metric in _PATTERNS:
        value = source[len(begin) : len(source) - len(end)]
        if value and source.startswith(begin) and source.endswith(end):
            return metric, value
    return None


def bounds_of(source: str) -> tuple[float, ...]:
    """The bounds of a histogram by its name in the code."""
    found = find(source)
    return found[0].bounds if found is not None and found[0].bounds else SIGNALLING_S


def _label_value(metric: Metric, source: str) -> str:
    """Of a name that is one of a family's: the value that it ends with, the longest that fits."""
    if not metric.label:
        return ""
    return max((value for value in metric.values if source.endswith(f"_{value}")), key=len, default="")
