"""Structured logs: one JSON object a line (or a readable line on a terminal), always with the call id if any."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from types import TracebackType
from typing import Final, TypeAlias

from voicegw.base.errors import ConfigError
from voicegw.base.personal import Disclosure, Personal, PersonalView, scrubbed

call_id_var: ContextVar[str] = ContextVar("call_id", default="")
"""Set by the call task; every record logged under it carries the id."""

_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_MOST_CAUSES: Final = 5
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    given = ((name, value) for name, value in record.__dict__.items() if name not in _STANDARD)
    shown = ((name, value.shown if isinstance(value, Personal) else _seen(value)) for name, value in given)
    return {name: value for name, value in shown if value != "" or record.__dict__[name] == ""}


def _message(record: logging.LogRecord) -> str:
    view = Personal.view
    if view.disclosure is Disclosure.KEEP:
        return record.getMessage()
    args = record.args
    if isinstance(args, tuple):
        args = tuple(_told(one) if isinstance(one, BaseException) else one for one in args)
    message = str(record.msg) % args if args else str(record.msg)
    return scrubbed(message, view)


def _seen(value: object) -> object:
    """A field that is not marked as personal."""
    if Personal.view.disclosure is Disclosure.KEEP:
        return value
    if isinstance(value, BaseException):
        return scrubbed(_told(value), Personal.view)
    return scrubbed(value, Personal.view) if isinstance(value, str) else value


def _told(error: BaseException) -> str:
    """What may be read of an error where people are not shown: many quote what a peer or a caller said.

    What the administrator wrote, and what the operating system says, is no caller's.
    """
    if isinstance(error, ConfigError):
        return str(error)
    name = type(error).__name__
    return f"{name}: {error.strerror}" if isinstance(error, OSError) and error.strerror else name


def _traceback(error: BaseException) -> str:
    """Where it broke, and in whose stead, without what it says."""
    parts: list[str] = []
    one: BaseException | None = error
    while one is not None and len(parts) < _MOST_CAUSES:
        frames = "".join(traceback.format_tb(one.__traceback__))
        parts.append(f"{frames}{_told(one)}")
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return scrubbed("\nbecause of\n".join(parts), Personal.view)


class _Formatter(logging.Formatter):
    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - the name of the library
        if Personal.view.disclosure is Disclosure.KEEP or ei[1] is None:
            return super().formatException(ei)
        return _traceback(ei[1])


class JsonFormatter(_Formatter):
    """One JSON object a line: ts, level, logger, msg, call_id, then the ``extra`` fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "ts": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": _message(record),
        }
        if call_id := call_id_var.get():
            entry["call_id"] = call_id
        entry.update(_fields(record))
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


class TextFormatter(_Formatter):
    """A line for a person."""

    def format(self, record: logging.LogRecord) -> str:
        call_id = call_id_var.get()
        head = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<7} {record.name}"
        fields = " ".join(f"{k}={v}" for k, v in _fields(record).items())
        line = f"{head}{' [' + call_id + ']' if call_id else ''} {_message(record)} {fields}".rstrip()
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


_CHATTY = ("httpx", "httpx2", "httpcore", "aiosqlite")
"""Libraries that log every request with its address, or every statement with its values, at a level that is ours to
use."""
_OURS: Final = "voicegw"


def configure(level: str = "info", *, json_lines: bool = True, view: PersonalView | None = None) -> None:
    """Send all logs to standard error at ``level`` (debug, info, warning, error).

    ``view``: what of people may be seen in them; None: everything.
    """
    Personal.view = view or PersonalView(Disclosure.KEEP)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if json_lines else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    set_level(level)


def set_level(level: str) -> None:
    """Log from ``level`` (debug, info, warning, error) on.

    Of libraries, where people are not shown, warnings and worse: nobody has marked what in their words is personal.
    """
    wanted = logging.getLevelNamesMapping()[level.upper()]
    sees_all = Personal.view.disclosure is Disclosure.KEEP
    logging.getLogger().setLevel(wanted if sees_all else max(wanted, logging.WARNING))
    logging.getLogger(_OURS).setLevel(wanted)
