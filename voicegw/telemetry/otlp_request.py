"""Traces of calls as one request of OTLP, in the messages that OpenTelemetry publishes.

Imported only where a collector is configured: the messages come with a package that nothing else needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from voicegw.base.personal import PersonalView
from voicegw.base.texts import whole
from voicegw.call.facts import CallWasOffered
from voicegw.ports.tracing import Value
from voicegw.telemetry.call_spans import TracedCall, spans_of
from voicegw.telemetry.span import Span, SpanKind

_KINDS: Final = {
    SpanKind.INTERNAL: ProtoSpan.SPAN_KIND_INTERNAL,
    SpanKind.SERVER: ProtoSpan.SPAN_KIND_SERVER,
    SpanKind.CLIENT: ProtoSpan.SPAN_KIND_CLIENT,
}
_SAMPLED: Final = 0x01
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request, and how many spans are in it."""

    body: bytes
    spans: int


def encode(calls: Iterable[TracedCall], resource: Mapping[str, Value], view: PersonalView) -> Encoded:
    """All spans of these calls. ``resource``: what is true of this process, such as ``service.name``."""
    request = ExportTraceServiceRequest()
    sender = request.resource_spans.add()
    sender.resource.attributes.extend(_pairs(resource))
    scope = sender.scope_spans.add()
    scope.scope.name = "voicegw"
    for call in calls:
        offered_ns = _offered_ns(call)
        trace_id = bytes.fromhex(call.context.trace_id)
        for span in spans_of(call, view):
            _fill(scope.spans.add(), span, trace_id, offered_ns)
    return Encoded(request.SerializeToString(), len(scope.spans))


def _offered_ns(call: TracedCall) -> int:
    """When the call was offered, in nanoseconds since 1970."""
    offered = next((one.data for one in call.entries if isinstance(one.data, CallWasOffered)), None)
    return (
        0 if offered is None else round(datetime.fromisoformat(offered.started_at).timestamp() * 1000) * _NS_PER_MS
    )


def _fill(made: ProtoSpan, span: Span, trace_id: bytes, offered_ns: int) -> None:
    made.name = span.name
    made.trace_id = trace_id
    made.span_id = bytes.fromhex(span.span_id)
    made.parent_span_id = bytes.fromhex(span.parent_id)
    made.kind = _KINDS[span.kind]
    made.flags = _SAMPLED
    made.start_time_unix_nano = offered_ns + round(span.start_ms * _NS_PER_MS)
    made.end_time_unix_nano = offered_ns + round(span.end_ms * _NS_PER_MS)
    made.attributes.extend(_pairs(span.attributes))
    for event in span.events:
        one = made.events.add(name=event.name, time_unix_nano=offered_ns + round(event.at_ms * _NS_PER_MS))
        one.attributes.extend(_pairs(event.attributes))
    if span.failure is not None:
        made.status.code = Status.STATUS_CODE_ERROR
        made.status.message = span.failure


def _pairs(attributes: Mapping[str, Value]) -> Iterator[KeyValue]:
    for name, value in attributes.items():
        match value:
            case bool():
                written = AnyValue(bool_value=value)
            case int():
                written = AnyValue(int_value=value)
            case float():
                written = AnyValue(double_value=value)
            case _:
                written = AnyValue(string_value=whole(value))
        yield KeyValue(key=name, value=written)
