"""Gathers what becomes the trace of each call. On the call's path this is a list that grows, and no more."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Final

from voicegw.base.clock import Clock
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.base.trace_context import TraceContext, is_sampled, read_traceparent, span_id_of, trace_id_of
from voicegw.call.facts import CallHasEnded, CallWasOffered, Entry
from voicegw.ports.tracing import Value, WorkKind
from voicegw.telemetry.call_spans import TracedCall
from voicegw.telemetry.config import OtlpConfig
from voicegw.telemetry.work import RunningWork, WorkDone

MOST_PARTS: Final = 4000
"""Facts and pieces of work of one call: an hour of lively talk has about 2000."""
_ROOT: Final = "call"


class _Traced:
    """A :class:`~voicegw.ports.tracing.CallTrace`: one call that goes on."""

    def __init__(self, context: TraceContext, parent_id: str, clock: Clock) -> None:
        self.context = context
        self.offered_at = clock.monotonic()
        self.entries: list[Entry] = []
        self._parent_id = parent_id
        self._clock = clock
        self._works: list[WorkDone] = []
        self._dropped = 0
        self._numbers = itertools.count(1)

    def begin(self, name: str, kind: WorkKind, attributes: Mapping[str, Value], parent_id: str) -> RunningWork:
        """See :class:`~voicegw.ports.tracing.CallTrace`."""
        trace_id, sampled = self.context.trace_id, self.context.sampled
        span_id = span_id_of(trace_id, f"{self.context.span_id} work {next(self._numbers)}")
        context = TraceContext(trace_id, span_id, sampled)
        return RunningWork(name, kind, attributes, context, parent_id, self._now_ms, self._worked)

    def add(self, entry: Entry) -> None:
        """A fact. The last one is always kept."""
        if self._has_room or isinstance(entry.data, CallHasEnded):
            self.entries.append(entry)
        else:
            self._dropped += 1

    def over(self) -> TracedCall:
        """All there is."""
        return TracedCall(self.context, self._parent_id, tuple(self.entries), tuple(self._works), self._dropped)

    @property
    def _has_room(self) -> bool:
        return len(self.entries) + len(self._works) < MOST_PARTS

    def _now_ms(self) -> float:
        return round((self._clock.monotonic() - self.offered_at) * 1000, 1)

    def _worked(self, work: WorkDone) -> None:
        if self._has_room:
            self._works.append(work)
        else:
            self._dropped += 1


class CallTracer:
    """A listener to facts, and a :class:`~voicegw.ports.tracing.Tracing`.

    ``export`` takes a call that is over; it never waits and never raises. ``clock`` is that of the calls.
    """

    def __init__(
        self,
        config: OtlpConfig,
        clock: Clock,
        counters: Counters,
        export: Callable[[TracedCall], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._counters = counters
        self._export = export
        self._calls: dict[CallId, _Traced] = {}

    @property
    def calls(self) -> int:
        """Those that go on."""
        return len(self._calls)

    def trace(self, call_id: CallId, headers: Mapping[str, str], trunk: str) -> _Traced:
        """See :class:`~voicegw.ports.tracing.Tracing`."""
        found = self._calls.get(call_id)
        if found is None:
            context, parent_id = self._context(call_id, headers, trunk)
            found = self._calls[call_id] = _Traced(context, parent_id, self._clock)
        return found

    def knows(self, call_id: CallId) -> bool:
        """Whether the call is one of those that go on."""
        return call_id in self._calls

    def take(self, call_id: CallId, entry: Entry) -> None:
        """A new fact."""
        if isinstance(entry.data, CallWasOffered):
            offered_at = self._clock.monotonic() - entry.at_ms / 1000
            self.trace(call_id, {}, "").offered_at = offered_at
        traced = self._calls.get(call_id)
        if traced is None:
            return
        if traced.context.sampled:
            traced.add(entry)
        if isinstance(entry.data, CallHasEnded):
            del self._calls[call_id]
            if traced.context.sampled:
                self._export(traced.over())
            else:
                self._counters.add("traces_not_sampled")

    def _context(self, call_id: CallId, headers: Mapping[str, str], trunk: str) -> tuple[TraceContext, str]:
        """The call's own span, and the one that it is a part of, if a peer that we know says so."""
        wanted = self._config.from_header.lower()
        said = next((value for name, value in headers.items() if name.lower() == wanted), "") if wanted else ""
        outer = read_traceparent(said) if trunk else None
        if outer is not None:
            span_id = span_id_of(outer.trace_id, f"{_ROOT} {call_id}")
            return TraceContext(outer.trace_id, span_id, outer.sampled), outer.span_id
        trace_id = trace_id_of(call_id)
        return TraceContext(trace_id, span_id_of(trace_id, _ROOT), is_sampled(trace_id, self._config.sample)), ""
