"""Which numbers a certificate speaks for: its TNAuthList extension (RFC 8226 §9), read from DER.

::

    TNAuthorizationList ::= SEQUENCE SIZE (1..MAX) OF TNEntry
    TNEntry ::= CHOICE {spc [0] IA5String, range [1] SEQUENCE {start IA5String, count INTEGER}, one [2] IA5String}

All tags are explicit. A service provider code says which company it is; which numbers that has, nobody here knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voicegw.stir.numbers import is_canonical

OID: Final = "1.3.6.1.5.5.7.1.26"
_MAX_ENTRIES = 10_000
_SEQUENCE, _IA5, _INTEGER = 0x30, 0x16, 0x02
_SPC, _RANGE, _ONE = 0xA0, 0xA1, 0xA2


@dataclass(frozen=True, slots=True)
class TnAuthList:
    """Codes of providers; numbers from one to another of the same length; single numbers."""

    codes: tuple[str, ...] = ()
    ranges: tuple[tuple[str, int], ...] = ()
    """The first number, and how many there are."""
    numbers: frozenset[str] = frozenset()

    def covers(self, number: str) -> bool:
        """Whether a signature over this canonical number is within its authority."""
        return bool(self.codes) or number in self.numbers or any(_in_range(number, one) for one in self.ranges)


def parse_tn_auth_list(der: bytes) -> TnAuthList:
    """Read the extension's value; ValueError for what is none."""
    tag, body, rest = _element(der)
    if tag != _SEQUENCE or rest or not body:
        raise ValueError("no TNAuthorizationList")
    codes: list[str] = []
    ranges: list[tuple[str, int]] = []
    numbers: set[str] = set()
    count = 0
    while body:
        tag, entry, body = _element(body)
        count += 1
        if count > _MAX_ENTRIES:
            raise ValueError("too many entries")
        if tag == _SPC:
            codes.append(_text(entry))
        elif tag == _RANGE:
            ranges.append(_range(entry))
        elif tag == _ONE:
            numbers.add(_number(_text(entry)))
        else:
            raise ValueError("an unknown entry")
    return TnAuthList(tuple(codes), tuple(ranges), frozenset(numbers))


def _in_range(number: str, numbers: tuple[str, int]) -> bool:
    start, count = numbers
    fits = len(number) == len(start) and number.isdigit()
    return fits and 0 <= int(number) - int(start) < count


def _range(entry: bytes) -> tuple[str, int]:
    tag, body, rest = _element(entry)
    if tag != _SEQUENCE or rest:
        raise ValueError("no range of numbers")
    tag, start, body = _element(body)
    count_tag, count, rest = _element(body)
    if tag != _IA5 or count_tag != _INTEGER or rest or not 0 < len(count) <= 8:
        raise ValueError("no range of numbers")
    first, how_many = _number(start.decode("ascii")), int.from_bytes(count, "big", signed=True)
    if not first.isdigit() or how_many < 2:
        raise ValueError("no range of numbers")
    return first, how_many


def _number(text: str) -> str:
    if len(text) > 15 or not is_canonical(text):
        raise ValueError("no telephone number")
    return text


def _text(entry: bytes) -> str:
    tag, body, rest = _element(entry)
    if tag != _IA5 or rest or not body:
        raise ValueError("no text")
    return body.decode("ascii")


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows; definite lengths only, as DER has them (X.690 §10.1)."""
    if len(data) < 2:
        raise ValueError("cut off")
    tag, length, at = data[0], data[1], 2
    if length & 0x80:
        size = length & 0x7F
        if not 0 < size <= 3 or len(data) < at + size:
            raise ValueError("no length")
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    if len(data) < at + length:
        raise ValueError("cut off")
    return tag, data[at : at + length], data[at + length :]
