"""Structured logs: one JSON object a line (or a readable line on a terminal), always with the call id if any."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar

call_id_var: ContextVar[str] = ContextVar("call_id", default="")
"""Set by the call task; every record logged under it carries the id."""

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {k: v for k, v in record.__dict__.items() if k not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts, level, logger, msg, call_id, then the ``extra`` fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "ts": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if call_id := call_id_var.get():
            entry["call_id"] = call_id
        entry.update(_fields(record))
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A line for a person."""

    def format(self, record: logging.LogRecord) -> str:
        call_id = call_id_var.get()
        head = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<7} {record.name}"
        fields = " ".join(f"{k}={v}" for k, v in _fields(record).items())
        line = f"{head}{' [' + call_id + ']' if call_id else ''} {record.getMessage()} {fields}".rstrip()
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


_CHATTY = ("httpx", "httpx2", "httpcore")
"""Libraries that log every request with its address, at a level that is ours to use."""


def configure(level: str = "info", *, json_lines: bool = True) -> None:
    """Send all logs to standard error at ``level`` (debug, info, warning, error)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if json_lines else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
