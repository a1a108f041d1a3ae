"""Byte ranges (RFC 9110 §14): the one form that players use, a single range of bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from voicegw.api.problems import ApiProblem

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes ``start`` to ``end``, both included."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start + 1


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The range to send, None for the whole. Raises 416 where nothing of it exists.

    Several ranges, other units and malformed headers are ignored, as RFC 9110 §14.2 allows.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if not first:  # the last bytes (§14.1.2)
        start, end = max(0, size - int(last)), size - 1
        beyond = int(last) == 0
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
        beyond = False
    if beyond or start >= size:
        detail = f"there are {size} bytes"
        raise ApiProblem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, detail, headers={"Content-Range": f"bytes */{size}"}
        )
    return ByteRange(start, end)
