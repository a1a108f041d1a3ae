"""One message of a ladder: as it went by, and as it is told. Most are never told, so they are read only then."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from voicegw.gateway.blotting import WORDS_IN_URI, parts_of
from voicegw.sip.address import Address, bracketed

_LONGEST_LINE: Final = 300
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_HEADERS = re.compile(rb"^(cseq|reason)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_UNTOLD = re.compile(
    rb"^(authorization|proxy-authorization|www-authenticate|proxy-authenticate|authentication-info|identity|y"
    rb"|user-to-user|subject|s)[ \t]*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
"""Credentials, and headers that agents put into words."""
_KEYS = re.compile(rb"^(a=(?:crypto|key-mgmt|ice-pwd):?)[^\r\n]*|^(k=)[^\r\n]*", re.IGNORECASE | re.MULTILINE)
_SDP = re.compile(rb"^(?:content-type|c)[ \t]*:[ \t]*application/sdp", re.IGNORECASE | re.MULTILINE)


class Passed(NamedTuple):
    """What went by, unread."""

    at: float
    sent: bool
    here: Address
    peer: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``peer`` and ``here`` are HOST:PORT; ``again``: the same bytes went the same way before."""

    at: float
    sent: bool
    here: str
    peer: str
    transport: str
    start_line: str
    cseq: str
    reason: str
    again: bool
    text: str = ""


def call_id_of(data: bytes) -> str:
    """The Call-ID of a message, "" without one. Nearly everybody spells the header as the standard does."""
    head = data.partition(b"\r\n\r\n")[0]
    _, usual, rest = head.partition(b"\r\nCall-ID: ")
    if usual:
        return _text(rest.partition(b"\r\n")[0]).strip()
    match = _CALL_ID.search(head)
    return "" if match is None else _text(match.group(1)).strip()


def read(passed: Passed, *, again: bool, text: str) -> Message:
    """What the ladder tells of a message; ``text`` is what it shows of the whole."""
    head = passed.data.partition(b"\r\n\r\n")[0]
    found = {name.lower(): value for name, value in reversed(_HEADERS.findall(head))}
    return Message(
        passed.at,
        passed.sent,
        _place(passed.here),
        _place(passed.peer),
        passed.peer.transport.value,
        _text(head.partition(b"\r\n")[0])[:_LONGEST_LINE],
        " ".join(_text(found.get(b"cseq", b"")).split())[:_LONGEST_LINE],
        _text(found.get(b"reason", b""))[:_LONGEST_LINE],
        again,
        text,
    )


def harmless(data: bytes) -> str:
    """The message without credentials, keys, and words of the conversation."""
    head, blank, body = parts_of(data)
    told = WORDS_IN_URI.sub(rb"\1[removed]", _UNTOLD.sub(rb"\1: [removed]", head))
    if body:
        body = _KEYS.sub(rb"\1\2[removed]", body) if _SDP.search(head) else b"[removed]"
    return _text(told + blank + body)


def _place(address: Address) -> str:
    return f"{bracketed(address.host)}:{address.port}"


def _text(data: bytes) -> str:
    """As text that every store takes."""
    return data.decode("utf-8", "replace")
