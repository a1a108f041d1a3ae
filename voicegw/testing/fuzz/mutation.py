"""Make bad input out of good: a few random edits, from a random source that is handed in."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

SCRAPS: Final = (
    *(b"\r\n", b"\n", b"\r", b"\0", b"\t", b" ", b",", b";", b":", b"=", b"@", b"<", b">", b'"', b"\\", b"%", b"?"),
    *(b"[", b"]", b"[::1]", b"%zz", b"%00", b"\xff", b"\xc3\xa4", b"--", b"/", b"*", b"&", b"+", b"(", b")"),
    *(b"sip:", b"sips:", b"tel:", b"SIP/2.0", b";tag=", b";lr", b";rport", b"z9hG4bK", b"INVITE", b"boundary="),
    *(b"m=audio ", b"a=fmtp:", b"a=rtpmap:", b"c=IN IP4 ", b"Content-Length: ", b"l: ", b"\r\n\r\n", b"\r\n "),
)
NUMBERS: Final = (
    *(
        b"0",
        b"-1",
        b"1",
        b"127",
        b"128",
        b"255",
        b"256",
        b"65535",
        b"65536",
        b"99999",
        b"2147483647",
        b"2147483648",
    ),
    *(b"4294967295", b"4294967296", b"18446744073709551616", b"9" * 400, b"00000000000000000001", b"1e9", b"\xb2"),
)
_NUMBER = re.compile(rb"[0-9]+")
_MOST_COPIES: Final = 300
LONGEST: Final = 65_535

Edit: TypeAlias = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def mutate(source: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """``data`` with one to four edits; ``others`` give pieces of their own."""
    for _ in range(source.randint(1, 4)):
        data = source.choice(_EDITS)(source, data, others)
    return data[:LONGEST]


def _span(source: random.Random, data: bytes) -> tuple[int, int]:
    start = source.randint(0, len(data))
    return start, min(len(data), start + source.choice((1, 1, 2, 4, 16, 64)))


def _insert(source: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    at = source.randint(0, len(data))
    return data[:at] + source.choice(SCRAPS) + data[at:]


def _replace(source: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _span(source, data)
    return data[:start] + source.choice(SCRAPS) + data[end:]


def _delete(source: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _span(source, data)
    return data[:start] + data[end:]


def _repeat(source: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _span(source, data)
    return data[:start] + data[start:end] * source.randint(2, _MOST_COPIES) + data[end:]


def _flip(source: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = source.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << source.randrange(8)]) + data[at + 1 :]


def _truncate(source: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    return data[: source.randint(0, len(data))]


def _splice(source: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = source.choice(others)
    start, end = sorted((source.randint(0, len(other)), source.randint(0, len(other))))
    at = source.randint(0, len(data))
    return data[:at] + other[start:end] + data[at:]


def _renumber(source: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    found = list(_NUMBER.finditer(data[:4096]))
    if not found:
        return data
    match = source.choice(found)
    return data[: match.start()] + source.choice(NUMBERS) + data[match.end() :]


_EDITS: tuple[Edit, ...] = (_insert, _replace, _delete, _repeat, _flip, _truncate, _splice, _renumber, _renumber)
