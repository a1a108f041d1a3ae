"""Spans: stretches of a call's time with a name, within one another. Times are milliseconds since the offer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from voicegw.base.trace_context import span_id_of
from voicegw.ports.tracing import Value


class SpanKind(Enum):
    """Who waits for whom; by the names of OpenTelemetry."""

    INTERNAL = "internal"
    SERVER = "server"
    """Somebody asked us."""
    CLIENT = "client"
    """We asked somebody."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """A moment in a span."""

    name: str
    at_ms: float
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """As it is sent. ``parent_id`` is "" where there is none; ``failure`` is None for what did not fail."""

    name: str
    span_id: str
    parent_id: str
    kind: SpanKind
    start_ms: float
    end_ms: float
    attributes: Mapping[str, Value]
    events: tuple[SpanEvent, ...]
    failure: str | None


@dataclass(slots=True)
class Draft:
    """A span that is being made. ``end_ms`` is None while it goes on; ``span_id`` is "" for one that nobody knows
    of yet."""

    name: str
    start_ms: float
    end_ms: float | None = None
    kind: SpanKind = SpanKind.INTERNAL
    attributes: dict[str, Value] = field(default_factory=dict)
    span_id: str = ""
    failure: str | None = None
    events: list[SpanEvent] = field(default_factory=list)
    children: list[Draft] = field(default_factory=list)

    def note(self, name: str, at_ms: float, told: Mapping[str, Value] | None = None) -> None:
        """Something happened; what is ``told`` of it is under our prefix."""
        self.events.append(SpanEvent(name, at_ms, ours(told or {})))

    def covers(self, at_ms: float) -> bool:
        """Whether it was going on then."""
        return self.start_ms <= at_ms and (self.end_ms is None or at_ms <= self.end_ms)

    def finished(self, trace_id: str, parent_id: str, end_ms: float) -> Iterator[Span]:
        """It and all within it; what goes on ends at ``end_ms``."""
        yield from self._spans(trace_id, parent_id, end_ms, Counter())

    def _spans(self, trace_id: str, parent_id: str, end_ms: float, taken: Counter[str]) -> Iterator[Span]:
        taken[self.name] += 1
        span_id = self.span_id or span_id_of(trace_id, f"{self.name} {taken[self.name]}")
        end = max(self.start_ms, end_ms if self.end_ms is None else self.end_ms)
        events = tuple(sorted(self.events, key=lambda event: event.at_ms))
        yield Span(
            self.name, span_id, parent_id, self.kind, self.start_ms, end, self.attributes, events, self.failure
        )
        for child in sorted(self.children, key=lambda one: one.start_ms):
            yield from child._spans(trace_id, span_id, end_ms, taken)


def ours(attributes: Mapping[str, Value]) -> dict[str, Value]:
    """Under our prefix, without what is empty."""
    return {f"voicegw.{name}": value for name, value in attributes.items() if value != ""}
