"""Traces of calls, where the configuration has a collector for them."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from importlib.metadata import version

from voicegw.base.clock import Clock
from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.base.personal import Disclosure, PersonalView
from voicegw.ports.tracing import Value
from voicegw.runtime.services import FactListener
from voicegw.telemetry.call_spans import TracedCall
from voicegw.telemetry.call_tracer import CallTracer
from voicegw.telemetry.config import OtlpConfig
from voicegw.telemetry.exporter import Destination, EncodedTraces, TraceExporter


def make_tracer(
    config: OtlpConfig, clock: Clock, counters: Counters, key: bytes, then: FactListener
) -> tuple[CallTracer, TraceExporter]:
    """What gathers and what sends; raises ConfigError. ``key``: of pseudonyms. ``then`` gets every fact next."""
    try:
        from voicegw.telemetry.otlp_request import encode  # an extra: asked for by its configuration alone
    except ImportError:
        fix = "pip install 'voicegw[otel]'"
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
    exporter = TraceExporter(destination, encoded, counters)
    return CallTracer(config, clock, counters, exporter.put, then), exporter
