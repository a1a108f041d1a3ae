"""Work that others do for a call, from its begin to its end: :class:`voicegw.ports.tracing.Work`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from voicegw.base.trace_context import TraceContext
from voicegw.ports.tracing import TRACEPARENT, Value, WorkKind
from voicegw.telemetry.span import Draft, SpanEvent, SpanKind

MOST_MARKS: Final = 32


@dataclass(frozen=True, slots=True)
class WorkDone:
    """Times are milliseconds since the offer. ``parent_id``: the work that it was begun in, or ""."""

    name: str
    kind: WorkKind
    span_id: str
    parent_id: str
    start_ms: float
    end_ms: float
    attributes: Mapping[str, Value]
    marks: tuple[tuple[str, float], ...]
    failure: str | None

    def draft(self) -> Draft:
        """As a span."""
        kind = SpanKind.CLIENT if self.kind is WorkKind.ELSEWHERE else SpanKind.INTERNAL
        attributes = dict(self.attributes)
        if self.failure is not None:
            attributes["error.type"] = self.failure
        events = [SpanEvent(name, at_ms) for name, at_ms in self.marks]
        return Draft(self.name, self.start_ms, self.end_ms, kind, attributes, self.span_id, self.failure, events)


class RunningWork:
    """A :class:`~voicegw.ports.tracing.Work`. ``now_ms`` counts from the offer; ``done`` gets it at its end."""

    __slots__ = (
        "context",
        "_name",
        "_kind",
        "_parent",
        "_now_ms",
        "_done",
        "_start",
        "_told",
        "_marks",
        "_failure",
    )

    def __init__(
        self,
        name: str,
        kind: WorkKind,
        attributes: Mapping[str, Value],
        context: TraceContext,
        parent_id: str,
        now_ms: Callable[[], float],
        done: Callable[[WorkDone], None],
    ) -> None:
        self.context = context
        self._name = name
        self._kind = kind
        self._parent = parent_id
        self._now_ms = now_ms
        self._done: Callable[[WorkDone], None] | None = done
        self._start = now_ms()
        self._told = dict(attributes)
        self._marks: list[tuple[str, float]] = []
        self._failure: str | None = None

    @property
    def span_id(self) -> str:
        """See :class:`~voicegw.ports.tracing.Work`."""
        return self.context.span_id

    @property
    def headers(self) -> Mapping[str, str]:
        """See :class:`~voicegw.ports.tracing.Work`."""
        return {TRACEPARENT: self.context.traceparent}

    def mark(self, name: str) -> None:
        """See :class:`~voicegw.ports.tracing.Work`."""
        if len(self._marks) < MOST_MARKS:
            self._marks.append((name, self._now_ms()))

    def tell(self, name: str, value: Value) -> None:
        """See :class:`~voicegw.ports.tracing.Work`."""
        self._told[name] = value

    def failed(self, kind: str) -> None:
        """See :class:`~voicegw.ports.tracing.Work`."""
        self._failure = kind

    def end(self) -> None:
        """See :class:`~voicegw.ports.tracing.Work`."""
        done, self._done = self._done, None
        if done is not None:
            done(
                WorkDone(
                    self._name,
                    self._kind,
                    self.context.span_id,
                    self._parent,
                    self._start,
                    self._now_ms(),
                    self._told,
                    tuple(self._marks),
                    self._failure,
                )
            )
