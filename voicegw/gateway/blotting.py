"""SIP messages that others than ourselves may see: what is secret is x in them, of the same length as it was."""

from __future__ import annotations

import re
from typing import Final

_SECRET_HEADERS: Final = re.compile(
    rb"^((?:proxy-)?authorization[ \t]*:)([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE
)
_SECRET_LINES: Final = re.compile(rb"^((?:a=(?:crypto|key-mgmt|ice-pwd):|k=))([^\r\n]*)", re.MULTILINE)
_VISIBLE: Final = re.compile(rb"[^\s]")
_WORDS: Final = re.compile(
    rb"^((?:user-to-user|subject|s)[ \t]*:)([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE
)
"""Headers that agents put into words."""
WORDS_IN_URI: Final = re.compile(rb"([?&](?:user-to-user|subject)=)([^&>\s]*)", re.IGNORECASE)
"""The same within the URI of a REFER."""
_SHOWN: Final = re.compile(rb"^(?:content-type|c)[ \t]*:[ \t]*(?:application/sdp|message/sipfrag)", re.I | re.M)
"""Bodies that tell nothing of a conversation."""


def parts_of(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Head, what ends it, and body, as our parser sees them: the first line says how lines end, and before it there
    may be empty ones."""
    begin = len(data) - len(data.lstrip(b"\r\n"))
    first = data.find(b"\n", begin)
    mark = b"\r\n\r\n" if first > 0 and data[first - 1] == 13 else b"\n\n"
    end = data.find(mark, begin)
    return (data, b"", b"") if end < 0 else (data[:end], mark, data[end + len(mark) :])


def without_secrets(data: bytes) -> bytes:
    """The message with x in place of what is secret, of the same length: it is still read as it was."""
    if b"uthorization" not in data and b"UTHORIZATION" not in data and b"\na=" not in data and b"\nk=" not in data:
        return data
    head, blank, body = parts_of(data)
    return _SECRET_HEADERS.sub(_blot, head) + blank + _SECRET_LINES.sub(_blot, body)


def _blot(match: re.Match[bytes]) -> bytes:
    return match.group(1) + _VISIBLE.sub(b"x", match.group(2))


def without_words(data: bytes) -> bytes:
    """The same, and without what is said and keyed in: bodies that are no session description, and some headers."""
    head, blank, body = parts_of(without_secrets(data))
    if body and not _SHOWN.search(head):
        body = _VISIBLE.sub(b"x", body)
    return WORDS_IN_URI.sub(_blot, _WORDS.sub(_blot, head)) + blank + body
