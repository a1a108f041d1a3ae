"""Sending traces: a thread that nobody waits for. The other side is a transport of httpx; the time is real."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.unit.telemetry.story import CALLER, CONTEXT, traced
from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.base.personal import Disclosure, PersonalView
from voicegw.telemetry.call_spans import TracedCall
from voicegw.telemetry.config import OtlpConfig
from voicegw.telemetry.exporter import Destination, TraceExporter
from voicegw.telemetry.otlp_request import Encoded, encode

DROP = PersonalView(Disclosure.DROP)
OK = httpx.Response(200)
PATIENCE_S = 20.0


def encoded(calls: Sequence[TracedCall]) -> Encoded:
    return encode(calls, {"service.name": "test", "process.pid": 7}, DROP)


class Bench:
    """An exporter and the collector of its requests; ``answer`` may block, fail or refuse."""

    def __init__(
        self,
        answer: Callable[[], httpx.Response],
        *,
        queue_calls: int = 4,
        timeout_s: float = 5.0,
        url: str = "http://c:4318/v1/traces",
    ) -> None:
        self.requests: list[httpx.Request] = []
        self.counters = Counters()
        self._answer = answer
        destination = Destination(url, {"X-Key": "k"}, timeout_s, queue_calls, 0.01)
        self.exporter = TraceExporter(destination, encoded, self.counters, httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer()

    def wait(self, name: str, count: int) -> None:
        until = time.monotonic() + PATIENCE_S
        pause = threading.Event()
        while self.counters.get(name) < count:
            assert time.monotonic() < until, self.counters.snapshot()
            pause.wait(0.01)

    def close(self) -> None:
        asyncio.run(self.exporter.close())


def test_a_request_is_what_opentelemetry_publishes() -> None:
    bench = Bench(lambda: OK)
    bench.exporter.put(traced())
    bench.wait("traces_sent", 1)
    bench.close()
    (request,) = bench.requests
    assert request.headers["content-type"] == "application/x-protobuf" and request.headers["x-key"] == "k"
    message = ExportTraceServiceRequest.FromString(request.content)
    (sender,) = message.resource_spans
    told = {pair.key: pair.value for pair in sender.resource.attributes}
    assert told["service.name"].string_value == "test" and told["process.pid"].int_value == 7
    (scope,) = sender.scope_spans
    assert len(scope.spans) == bench.counters.get("trace_spans_sent") > 20
    root = scope.spans[0]
    assert root.name == "call" and root.trace_id.hex() == CONTEXT.trace_id and root.parent_span_id == b""
    # The story begins at ten o'clock, and its INVITE came two milliseconds before its record was begun.
    assert root.start_time_unix_nano == 1795428000_000_000_000 - 2_000_000
    assert root.end_time_unix_nano - root.start_time_unix_nano == 9005 * 1_000_000
    failed = next(span for span in scope.spans if span.name == "transfer")
    assert failed.status.code == Status.STATUS_CODE_ERROR and failed.status.message == "busy"
    assert CALLER.encode() not in request.content


def test_nobody_waits_for_a_collector_that_hangs_and_what_is_too_much_is_counted() -> None:
    begun, hangs = threading.Event(), threading.Event()

    def hang() -> httpx.Response:
        begun.set()
        assert hangs.wait(PATIENCE_S)
        return OK

    bench = Bench(hang, queue_calls=2)
    bench.exporter.put(traced())
    assert begun.wait(PATIENCE_S)
    for _ in range(5):
        bench.exporter.put(traced())
    assert bench.counters.get("traces_dropped_full") == 3
    hangs.set()
    bench.wait("traces_sent", 3)
    bench.close()


def test_a_fault_of_ours_costs_some_traces_and_not_all_that_come(caplog: pytest.LogCaptureFixture) -> None:
    faults = [ZeroDivisionError("ours")]

    def faulty(calls: Sequence[TracedCall]) -> Encoded:
        if faults:
            raise faults.pop()
        return encoded(calls)

    bench = Bench(lambda: OK)
    bench.exporter._encode = faulty
    for name in ("traces_dropped_failed", "traces_sent"):
        bench.exporter.put(traced())
        bench.wait(name, 1)
    bench.close()
    assert [record.exc_info is not None for record in caplog.records if record.levelno == logging.ERROR] == [True]


def test_a_collector_whose_name_is_none_is_told_of_each_time() -> None:
    bench = Bench(lambda: OK, url="http://xn--a:4318/v1/traces", timeout_s=0.05)
    for number in (1, 2):
        bench.exporter.put(traced())
        bench.wait("traces_dropped_failed", number)
    bench.close()


def test_a_collector_that_refuses_is_told_of_once_and_once_more_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = [httpx.Response(400), httpx.Response(400), OK]
    bench = Bench(lambda: answers[len(bench.requests) - 1])
    with caplog.at_level(logging.INFO, "voicegw.telemetry"):
        for number in (1, 2):
            bench.exporter.put(traced())
            bench.wait("traces_dropped_failed", number)
        bench.exporter.put(traced())
        bench.wait("traces_sent", 1)
        bench.close()
    said = [(record.levelname, record.message) for record in caplog.records]
    assert said == [
        ("WARNING", "traces are dropped until the collector takes them"),
        ("INFO", "the collector takes traces again"),
    ]


def test_what_may_pass_is_tried_again() -> None:
    answers = [httpx.Response(503), OK]
    bench = Bench(lambda: answers[len(bench.requests) - 1])
    bench.exporter.put(traced())
    bench.wait("traces_sent", 1)
    assert len(bench.requests) == 2 and bench.counters.get("traces_dropped_failed") == 0
    bench.close()


def test_a_collector_that_is_away_costs_a_request_its_time_and_no_more() -> None:
    def refuse() -> httpx.Response:
        raise httpx.ConnectError("nobody")

    bench = Bench(refuse, timeout_s=0.2)
    bench.exporter.put(traced())
    bench.wait("traces_dropped_failed", 1)
    bench.close()


def test_what_waits_is_sent_at_the_end() -> None:
    bench = Bench(lambda: OK)
    for _ in range(3):
        bench.exporter.put(traced())
    bench.close()
    assert bench.counters.get("traces_sent") == 3


def test_without_a_call_there_is_nothing_to_close() -> None:
    before = threading.active_count()
    bench = Bench(lambda: OK)
    bench.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("url", "jaeger:4318", "http://HOST"),
        ("url", "http://jaeger:4318", "/v1/traces"),
        ("sample", 1.5, "0 to 1"),
        ("timeout_s", 0.0, "more than 0"),
        ("queue_calls", 0, "at least 1"),
        ("personal", "some", "keep, hash, drop"),
        ("from_header", "X Trace", "no name of a header"),
        ("headers", {"a b": "c"}, "no name of a header"),
    ],
)
def test_what_cannot_work_is_refused(key: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        OtlpConfig(**{key: value})  # type: ignore[arg-type]
    assert said in f"{refused.value.message} {refused.value.fix}"


def test_a_secret_comes_from_the_environment() -> None:
    config = OtlpConfig(headers={"a": "b"}, secret_headers={"Authorization": "TOKEN"})
    assert config.all_headers({"TOKEN": "Bearer x"}) == {"a": "b", "Authorization": "Bearer x"}
    with pytest.raises(ConfigError, match="TOKEN"):
        config.all_headers({})
