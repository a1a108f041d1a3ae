"""The names that a call has in traces, and how they travel: W3C Trace Context.

The trace of a call is named by the id of the call, so that whoever knows the one knows the other: no table is kept,
and another node that does work for the call says the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from voicegw.base.ids import CallId

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
_ALL: Final = 2**64


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace. ``trace_id``: 32 hexadecimal digits, ``span_id``: 16. ``sampled``: somebody keeps it."""

    trace_id: str
    span_id: str
    sampled: bool

    @property
    def traceparent(self) -> str:
        """The value of the header of that name (Trace Context §3.2)."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def read_traceparent(text: str) -> TraceContext | None:
    """The context that a header tells; None where it is none (Trace Context §3.2.2, §4.3)."""
    found = _TRACEPARENT.fullmatch(text.strip().lower())
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    # A later version may have more to say; this one may not, and ff is no version.
    if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1))


def trace_id_of(call_id: CallId) -> str:
    """The name of the trace of a call."""
    return blake2b(call_id.encode(), digest_size=16, person=b"voicegw trace").hexdigest()


def span_id_of(trace_id: str, name: str) -> str:
    """The id of the span that is called ``name`` within its trace."""
    return blake2b(f"{trace_id}/{name}".encode(), digest_size=8, person=b"voicegw span").hexdigest()


def is_sampled(trace_id: str, share: float) -> bool:
    """Whether a trace is among the ``share`` (0 to 1) of all that are kept; whoever asks gets the same answer."""
    return int(trace_id[16:], 16) < share * _ALL
