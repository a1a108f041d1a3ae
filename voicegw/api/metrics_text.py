"""The page that Prometheus reads: text exposition format 0.0.4.

Written by hand: our counters already exist (``base/metrics``) and the format is a few lines a name. The client
library would keep a second registry of the same numbers. What is not in the catalogue of metrics is shown as one
family of its own, so that nothing that is counted can be missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from voicegw.base.catalogue import CATALOGUE, Kind, Metric, find
from voicegw.base.metrics import HistogramState

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_STRAYS: Final = "uncatalogued"


def exposition(
    counters: Mapping[str, int],
    gauges: Mapping[str, float],
    histograms: Mapping[str, HistogramState] | None = None,
) -> str:
    """Everything in the order of the catalogue. Counters and histograms are there from the beginning, at 0, where
    their labels are known; gauges, where somebody tells them."""
    numbers: dict[str, dict[str, float]] = {}
    for source, value in (*counters.items(), *gauges.items()):
        metric, label = _place(source)
        family = numbers.setdefault(metric.name, {})
        family[label] = family.get(label, 0.0) + value * metric.scale
    states: dict[str, dict[str, HistogramState]] = {}
    for source, state in (histograms or {}).items():
        metric, label = _place(source)
        states.setdefault(metric.name, {})[label] = state
    lines: list[str] = []
    for metric in CATALOGUE:
        if metric.kind is Kind.HISTOGRAM:
            lines += _histogram(metric, states.get(metric.name, {}))
        else:
            lines += _numbers(metric, numbers.get(metric.name, {}))
    return "\n".join(lines) + "\n"


def _place(source: str) -> tuple[Metric, str]:
    """The family of a name in the code, and its label there."""
    found = find(source) or find(f"{_STRAYS}_{source}")
    assert found is not None  # that one takes any name
    return found


def _beginnings(metric: Metric) -> tuple[str, ...]:
    """Labels of a family that are shown before anything happened."""
    return metric.values if metric.label else ("",)


def _numbers(metric: Metric, found: Mapping[str, float]) -> Iterator[str]:
    if metric.kind is Kind.COUNTER:
        found = dict.fromkeys(_beginnings(metric), 0.0) | dict(found)
    if found:
        yield from _head(metric)
    for label, value in sorted(found.items()):
        yield f"{metric.name}{_labels(metric, label)} {_number(value)}"


def _histogram(metric: Metric, found: Mapping[str, HistogramState]) -> Iterator[str]:
    empty = HistogramState((0,) * (len(metric.bounds) + 1), 0.0)
    found = dict.fromkeys(_beginnings(metric), empty) | dict(found)
    if found:
        yield from _head(metric)
    for label, state in sorted(found.items()):
        so_far = 0
        for bound, count in zip((*metric.bounds, None), state.counts, strict=True):
            so_far += count
            limit = "+Inf" if bound is None else _number(bound)
            bucket = _labels(metric, label, f'le="{limit}"')
            yield f"{metric.name}_bucket{bucket} {so_far}"
        yield f"{metric.name}_sum{_labels(metric, label)} {_number(state.total)}"
        yield f"{metric.name}_count{_labels(metric, label)} {so_far}"


def _head(metric: Metric) -> Iterator[str]:
    text = metric.text.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {metric.name} {text}"
    yield f"# TYPE {metric.name} {metric.kind}"


def _labels(metric: Metric, value: str, *more: str) -> str:
    own = (f'{metric.label}="{_escaped(value)}"',) if metric.label else ()
    pairs = ",".join((*own, *more))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    """Whole numbers as such, others with every digit: a counter of millions must not stand still when printed."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
