"""Work that is done for a call by somebody else (a web service, a language model, a tool), as its trace sees it.

Whoever does such work does not know the call; the task that it runs in does. So the trace of a call stands in a
context variable: tasks that the call's task begins inherit it; where there is none nothing is noted, nothing sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Final, Protocol, TypeAlias

from voicegw.base.ids import CallId

Value: TypeAlias = str | int | float | bool
"""Of an attribute."""
TRACEPARENT: Final = "traceparent"
"""The header by which a trace goes on elsewhere."""


class WorkKind(Enum):
    """Where the work is done."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    """Behind a request: the trace may go on there."""


class Work(Protocol):
    """One piece of work that is under way."""

    @property
    def span_id(self) -> str:
        """Its name in the trace; "" where nobody traces."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What a request has to carry so that the trace goes on behind it; empty where nobody traces."""
        ...

    def mark(self, name: str) -> None:
        """Something happened in it now."""
        ...

    def tell(self, name: str, value: Value) -> None:
        """An attribute that was not known at its begin."""
        ...

    def failed(self, kind: str) -> None:
        """It had no success. ``kind``: of few values, and nothing that a caller said."""
        ...

    def end(self) -> None:
        """It is over; only the first time counts."""
        ...


class CallTrace(Protocol):
    """The trace of one call."""

    def begin(self, name: str, kind: WorkKind, attributes: Mapping[str, Value], parent_id: str) -> Work:
        """Work begins now, as a part of the work whose ``span_id`` is ``parent_id``, if that is not empty."""
        ...


class Tracing(Protocol):
    """Makes the traces of calls."""

    def trace(self, call_id: CallId, headers: Mapping[str, str], trunk: str) -> CallTrace | None:
        """Of a call that begins with these headers of its INVITE, by ``trunk``; None where none is made."""
        ...


trace_var: ContextVar[CallTrace | None] = ContextVar("call_trace", default=None)
"""Set by the task of a call where calls are traced."""

_part_of: ContextVar[str] = ContextVar("part_of", default="")
"""The ``span_id`` of the work whose block this is."""


class _Untraced:
    """Work that nobody wants to know of."""

    span_id = ""
    headers: Mapping[str, str] = {}

    def mark(self, name: str) -> None:
        pass

    def tell(self, name: str, value: Value) -> None:
        pass

    def failed(self, kind: str) -> None:
        pass

    def end(self) -> None:
        pass


UNTRACED: Final[Work] = _Untraced()


def begin_work(name: str, kind: WorkKind, attributes: Mapping[str, Value]) -> Work:
    """Work for the call in whose task this is called."""
    trace = trace_var.get()
    return UNTRACED if trace is None else trace.begin(name, kind, attributes, _part_of.get())


@contextmanager
def working(name: str, kind: WorkKind, attributes: Mapping[str, Value]) -> Iterator[Work]:
    """The same for the length of a block, with all work that is begun in it as its parts.

    An exception is its failure, by the name of its class.
    """
    work = begin_work(name, kind, attributes)
    outer = _part_of.set(work.span_id)
    try:
        yield work
    except BaseException as error:
        work.failed(type(error).__name__)
        raise
    finally:
        _part_of.reset(outer)
        work.end()
