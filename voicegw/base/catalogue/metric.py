"""One metric as Prometheus shows it, and the names under which the code counts it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "voicegw_"
ANY: Final = "*"
"""In a source: the rest of the name is the value of the label."""

FAST_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.04, 0.1, 0.5)
"""Work within one tick of 20 ms, and being late for it."""
SIGNALLING_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From our own 100 to a phone that rings for a minute."""
SPEECH_S: Final = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
"""What a caller notices: dense between 0.2 and 1.5 s, where an answer is prompt or slow."""
WORK_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Databases and tools."""
CALL_S: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
MOS: Final = (1.0, 1.5, 2.0, 2.5, 2.8, 3.1, 3.4, 3.6, 3.8, 4.0, 4.2, 4.3, 4.5)
"""With 3.1, below which people are dissatisfied (ITU-T G.109)."""
DEPTH_S: Final = (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.16, 0.2, 0.3, 0.5)
"""Whole frames of 20 ms."""


class Kind(StrEnum):
    """Types of the exposition format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A family: ``name`` as it is shown, ``text`` its HELP.

    ``sources`` are the names in the code; one with a ``*`` stands for many, and what stands there is the value of
    ``label``. ``values`` of the label are shown from the beginning, at 0. ``scale`` makes base units of what is
    counted.
    """

    name: str
    kind: Kind
    text: str
    sources: tuple[str, ...]
    label: str = ""
    values: tuple[str, ...] = ()
    scale: float = 1.0
    bounds: tuple[float, ...] = ()


def counted(source: str, text: str, name: str = "", scale: float = 1.0) -> Metric:
    """A counter without a label; ``name``: without prefix and ``_total``, where it is not the source."""
    return Metric(f"{PREFIX}{name or source}_total", Kind.COUNTER, text, (source,), scale=scale)


def counted_by(label: str, source: str, text: str, name: str = "", values: tuple[str, ...] = ()) -> Metric:
    """A counter with a label, counted as ``source`` with a ``*`` where the value is."""
    shown = name or source.replace(f"_{ANY}", "").replace(f"{ANY}_", "")
    return Metric(f"{PREFIX}{shown}_total", Kind.COUNTER, text, (source,), label, values)


def counted_each(label: str, begin: str, values: tuple[str, ...], text: str, name: str) -> Metric:
    """A counter with a label of these values and no others, counted as ``<begin>_<value>``."""
    sources = tuple(f"{begin}_{value}" for value in values)
    return Metric(f"{PREFIX}{name}_total", Kind.COUNTER, text, sources, label, values)


def level(source: str, text: str, label: str = "", name: str = "", values: tuple[str, ...] = ()) -> Metric:
    """A gauge; with a label its sources are ``<source>_<value>``."""
    sources = (f"{source}_{ANY}",) if label else (source,)
    return Metric(name or f"{PREFIX}{source}", Kind.GAUGE, text, sources, label, values)


def timed(
    source: str, text: str, bounds: tuple[float, ...], label: str = "", values: tuple[str, ...] = ()
) -> Metric:
    """A histogram; with a label its sources are ``<source>_<value>``."""
    sources = (f"{source}_{ANY}",) if label else (source,)
    return Metric(f"{PREFIX}{source}", Kind.HISTOGRAM, text, sources, label, values, bounds=bounds)
