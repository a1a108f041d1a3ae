"""The OTLP sink of the package oteltest as a process: ``python otlp_sink.py PORT FILE`` writes a line a request."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from oteltest.sink import HttpSink
from oteltest.sink.handler import RequestHandler


class ToFile(RequestHandler):
    """Keeps what came, and the headers that it came with."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def handle_trace(self, request, headers) -> None:  # type: ignore[no-untyped-def]
        with self._path.open("a") as file:
            file.write(json.dumps({"headers": headers, "traces": MessageToDict(request)}) + "\n")

    def handle_logs(self, request, headers) -> None:  # type: ignore[no-untyped-def]
        raise AssertionError("nobody sends logs")

    def handle_metrics(self, request, headers) -> None:  # type: ignore[no-untyped-def]
        raise AssertionError("nobody sends metrics")


def main() -> None:
    """Until somebody stops it."""
    port, path = int(sys.argv[1]), Path(sys.argv[2])
    HttpSink(ToFile(path), logging.getLogger("sink"), port, daemon=False).start()


if __name__ == "__main__":
    main()
