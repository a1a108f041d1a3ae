"""Traces of calls, while the configuration has a collector for them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from voicegw.base.clock import Clock
from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId
from voicegw.base.installing import pip_install
from voicegw.base.metrics import Counters
from voicegw.base.personal import Disclosure, PersonalView
from voicegw.call.facts import Entry
from voicegw.ports.tracing import CallTrace, Value
from voicegw.runtime.services import FactListener
from voicegw.telemetry.call_spans import TracedCall
from voicegw.telemetry.call_tracer import CallTracer
from voicegw.telemetry.config import OtlpConfig
from voicegw.telemetry.exporter import Destination, EncodedTraces, TraceExporter


@dataclass(frozen=True, slots=True)
class _House:
    """What gathers, and what sends."""

    config: OtlpConfig
    tracer: CallTracer
    exporter: TraceExporter


class TraceDesk:
    """A listener to facts before ``then``, and a :class:`~voicegw.ports.tracing.Tracing`, as they are set.

    The trace of a call ends where it began: whoever traces no new calls any more goes on until the last of its own
    is over, then sends what waits and is closed.
    """

    def __init__(
        self, config: OtlpConfig, key: bytes, clock: Clock, counters: Counters, then: FactListener
    ) -> None:
        """``key``: of pseudonyms. Raises ConfigError."""
        self._clock = clock
        self._counters = counters
        self._then = then
        self._key = key
        self._config = config
        self._now = self._made(config, key)
        self._old: list[_House] = []
        self._closing: set[asyncio.Task[None]] = set()

    async def use(self, config: OtlpConfig, key: bytes) -> None:
        """For calls that begin from now on; raises ConfigError, with all as it was."""
        if (config, key) == (self._config, self._key):
            return
        new = self._made(config, key)
        if self._now is not None:
            self._old.append(self._now)
        self._now, self._config, self._key = new, config, key
        self._close_idle()

    def trace(self, call_id: CallId, headers: Mapping[str, str], trunk: str) -> CallTrace | None:
        """See :class:`~voicegw.ports.tracing.Tracing`."""
        house = self._house_of(call_id)
        return None if house is None else house.tracer.trace(call_id, headers, trunk)

    def __call__(self, call_id: CallId, entry: Entry) -> None:
        """A new fact."""
        house = self._house_of(call_id)
        if house is not None:
            house.tracer.take(call_id, entry)
            if house is not self._now:
                self._close_idle()
        self._then(call_id, entry)

    async def close(self) -> None:
        """Send what waits, as far as that goes quickly."""
        houses = [*self._old, *(() if self._now is None else (self._now,))]
        self._old, self._now = [], None
        await asyncio.gather(*self._closing, *(house.exporter.close() for house in houses))

    def _house_of(self, call_id: CallId) -> _House | None:
        return next((old for old in self._old if old.tracer.knows(call_id)), self._now)

    def _close_idle(self) -> None:
        """Those without calls that trace no new ones."""
        idle = [old for old in self._old if not old.tracer.calls]
        for old in idle:
            self._old.remove(old)
            task = asyncio.create_task(old.exporter.close(old.config.timeout_s), name="old traces")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _made(self, config: OtlpConfig, key: bytes) -> _House | None:
        if not config.url:
            return None
        exporter = make_exporter(config, self._counters, key)
        return _House(config, CallTracer(config, self._clock, self._counters, exporter.put), exporter)


def make_exporter(config: OtlpConfig, counters: Counters, key: bytes) -> TraceExporter:
    """What sends traces; raises ConfigError. ``key``: of pseudonyms."""
    try:
        from voicegw.telemetry.otlp_request import encode  # an extra: asked for by its configuration alone
    except ImportError:
        fix = pip_install("voicegw[otel]")
        raise ConfigError("observability.otlp: OpenTelemetry's messages are not installed", fix=fix) from None
    view = PersonalView(Disclosure(config.personal), key)
    resource: dict[str, Value] = {
        "service.name": config.service_name,
        "service.version": version("voicegw"),
        "service.instance.id": socket.gethostname(),
        "process.pid": os.getpid(),
    }

    def encoded(calls: Sequence[TracedCall]) -> EncodedTraces:
        return encode(calls, resource, view)

    destination = Destination(
        config.url, config.all_headers(os.environ), config.timeout_s, config.queue_calls, config.gather_s
    )
    return TraceExporter(destination, encoded, counters)
