"""Traces whose collector changes while calls go on: each call is told where it was to be told when it began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import httpx
import pytest

from tests.unit.telemetry.story import entries
from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import Entry
from voicegw.ports.tracing import WorkKind
from voicegw.server_traces import TraceDesk
from voicegw.telemetry.call_spans import TracedCall
from voicegw.telemetry.config import OtlpConfig
from voicegw.telemetry.exporter import Destination, TraceExporter
from voicegw.telemetry.otlp_request import Encoded
from voicegw.testing.manual_clock import ManualClock

FIRST: Final = OtlpConfig("http://first:4318/v1/traces", gather_s=0.01)
SECOND: Final = OtlpConfig("http://second:4318/v1/traces", gather_s=0.01)
KEY: Final = b"key"
OLD, NEW = CallId("old"), CallId("new")


class House:
    """A desk, and collectors that say what they got: (host, names of the traces)."""

    def __init__(self, config: OtlpConfig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.got: list[tuple[str, str]] = []
        self.passed_on: list[tuple[CallId, Entry]] = []
        self.closed: list[str] = []
        monkeypatch.setattr("voicegw.server_traces.make_exporter", self._exporter)
        told: Callable[[CallId, Entry], None] = lambda *fact: self.passed_on.append(fact)  # noqa: E731
        self.counters = Counters()
        self.desk = TraceDesk(config, KEY, ManualClock(), self.counters, told)

    def _exporter(self, config: OtlpConfig, counters: Counters, key: bytes) -> TraceExporter:
        if "nowhere" in config.url:
            raise ConfigError("observability.otlp: nowhere")
        destination = Destination(config.url, {}, 5.0, 4, config.gather_s)
        closed = self.closed

        def encode(calls: Sequence[TracedCall]) -> Encoded:
            return Encoded(" ".join(call.context.trace_id for call in calls).encode(), len(calls))

        class Told(TraceExporter):
            async def close(self, patience_s: float = 3.0) -> None:
                await super().close(patience_s)
                closed.append(httpx.URL(config.url).host)

        return Told(destination, encode, counters, httpx.MockTransport(self._collect))

    def _collect(self, request: httpx.Request) -> httpx.Response:
        self.got += [(request.url.host, name) for name in request.content.decode().split()]
        return httpx.Response(200)

    def begin(self, call_id: CallId) -> str:
        """A call begins; the name of its trace, or "" where nobody traces it."""
        trace = self.desk.trace(call_id, {}, "")
        for entry in entries()[:3]:
            self.desk(call_id, entry)
        if trace is None:
            return ""
        return trace.begin("x", WorkKind.ELSEWHERE, {}, "").headers["traceparent"].split("-")[1]

    def end(self, call_id: CallId) -> None:
        self.desk(call_id, entries()[-1])


def test_a_running_call_is_told_where_it_began_and_a_new_one_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        house = House(FIRST, monkeypatch)
        old = house.begin(OLD)
        await house.desk.use(SECOND, KEY)
        assert house.begin(OLD) == old, "asked again, it is the same trace"
        new = house.begin(NEW)
        assert not house.desk._closing, "the first one has a call still"
        house.end(OLD)
        (closing,) = house.desk._closing
        await closing
        assert house.closed == ["first"] and house.got == [("first", old)], "what waited is sent, then it is closed"
        house.end(NEW)
        await house.desk.close()
        assert house.got == [("first", old), ("second", new)] and house.closed == ["first", "second"]
        assert len(house.passed_on) == 11

    asyncio.run(story())


def test_traces_begin_and_end_with_their_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        house = House(OtlpConfig(), monkeypatch)
        assert house.begin(OLD) == ""
        await house.desk.use(FIRST, KEY)
        house.end(OLD)
        new = house.begin(NEW)
        await house.desk.use(OtlpConfig(), KEY)
        assert house.begin(CallId("third")) == ""
        house.end(NEW)
        await house.desk.close()
        assert house.got == [("first", new)], "a call that began before it has no half of a trace"

    asyncio.run(story())


def test_one_without_calls_is_closed_at_once_and_the_same_setting_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        house = House(FIRST, monkeypatch)
        await house.desk.use(FIRST, KEY)
        assert not house.desk._closing
        await house.desk.use(FIRST, b"another key")
        (closing,) = house.desk._closing
        await closing
        assert house.closed == ["first"]
        with pytest.raises(ConfigError):
            await house.desk.use(OtlpConfig("http://nowhere/v1/traces"), KEY)
        name = house.begin(NEW)
        house.end(NEW)
        await house.desk.close()
        assert house.got == [("first", name)], "who cannot be made is no successor"

    asyncio.run(story())


def test_of_a_share_of_no_calls_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        house = House(FIRST, monkeypatch)
        await house.desk.use(OtlpConfig(FIRST.url, sample=0.0), KEY)
        house.begin(NEW)
        house.end(NEW)
        await house.desk.close()
        assert house.got == [] and house.counters.get("traces_not_sampled") == 1

    asyncio.run(story())
