"""Bytes to SIP messages (RFC 3261 §7, §18.3). Whatever the bytes are: a message, or RemoteProtocolError.

Lenient where the meaning is plain (folded lines, odd case, compact forms, unknown headers, bare LF when the whole
head uses it), strict where two readers could disagree (a stray CR or LF, a second Content-Length, a short body).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.grammar import TOKEN, is_fit, is_token
from voicegw.sip.message import Headers, Message, Request, Response
from voicegw.sip.validation import Essentials, check_request, is_answerable, read_essentials

MAX_MESSAGE_BYTES = 65_536 + 262_144
"""The most that a stream may carry, head and body (see :mod:`voicegw.sip.framing`); no datagram is that large."""
MAX_HEADERS = 128
_STATUS_LINE = re.compile(r"SIP/([0-9]+\.[0-9]+) ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"SIP/([0-9]+\.[0-9]+)", re.IGNORECASE)
_FOLDS = {eol: re.compile(eol + rb"[ \t]++") for eol in (b"\r\n", b"\n")}
_PLAIN_LINE = re.compile(rf"^({TOKEN}): *+([ -~]*+)\r\n", re.MULTILINE)
"""A header as nearly everybody writes it: printable ASCII, which no two readers could take for different things."""
_URI_UNFIT = re.compile(r"[\x00-\x20]")
_LENGTH = re.compile(r"0*([0-9]{1,9})")
_UNKNOWN_URI = "sip:unparsable.invalid"


class KeepAlive(RemoteProtocolError):
    """Not a message at all: a keep-alive or a STUN packet on the SIP port. Nothing is wrong and nothing is owed."""


class BadRequest(RemoteProtocolError):
    """A request that breaks the protocol but can be answered with ``status_hint``.

    ``request`` has the five headers that a response copies, a top Via that parses and only headers that are safe to
    copy; its URI is a stand-in where the real one is unreadable. It is fit for a response and for nothing else.
    """

    def __init__(self, message: str, status_hint: int, request: Request) -> None:
        super().__init__(message, status_hint)
        self.request = request


def is_keepalive(data: bytes) -> bool:
    """Tell whether a datagram is only line breaks, blanks or NULs (RFC 5626 §4.4.1), or STUN (RFC 8489 §5)."""
    return not data or data[0] < 4 or not data.strip(b"\r\n \t\0")


def parse(data: bytes) -> Message:
    """Parse one datagram, and check what :mod:`voicegw.sip.validation` checks.

    Raises KeepAlive, BadRequest where an answer is due, else RemoteProtocolError: drop and count. Bytes behind
    Content-Length are cut; without that header the body is the rest (RFC 3261 §18.3).
    """
    return parse_and_read(data)[0]


def parse_and_read(data: bytes) -> tuple[Message, Essentials]:
    """The same, with what every message says: the check has read it."""
    if is_keepalive(data):
        raise KeepAlive("keep-alive")
    if len(data) > MAX_MESSAGE_BYTES:
        raise RemoteProtocolError("message too large", 513)
    start, lines, eol, body, torn = _split(data.lstrip(b"\r\n"))
    headers, fault = _parse_headers(lines, eol)
    if torn:
        fault = fault or "no end of headers"
    if start[:4].upper() == "SIP/":
        return _parse_response(start, headers, body, fault)
    return _parse_request(start, headers, body, fault)


class _Pieces(NamedTuple):
    """A message cut up: ``lines`` are its unfolded header lines, each with ``eol`` behind it."""

    start: str
    lines: str
    eol: str
    rest: bytes
    torn: bool
    """The empty line behind the head is missing."""


def _split(data: bytes) -> _Pieces:
    """Cut a message up.

    The first line break decides between CRLF and LF for the whole head: a stray CR or LF then stays in its
    line, which is refused, and nobody can hide a header in a mix of the two.
    """
    newline = data.find(b"\n")
    eol = b"\r\n" if newline > 0 and data[newline - 1] == 13 else b"\n"
    head, separator, body = data.partition(eol + eol)
    if not separator:
        head = head.removesuffix(eol)
    text, line_end = (_FOLDS[eol].sub(b" ", head) + eol).decode("latin-1"), eol.decode()
    start, _, lines = text.partition(line_end)
    return _Pieces(start, lines, line_end, body, not separator)


def _parse_headers(text: str, eol: str) -> tuple[Headers, str]:
    """Return the good header lines and the first fault, "" without one."""
    if eol == "\r\n" and " \r\n" not in text:
        pairs = _PLAIN_LINE.findall(text)
        if text.count("\n") == text.count(eol) == len(pairs) <= MAX_HEADERS:
            return Headers.received(pairs), ""
    return _parse_odd_headers(text.split(eol)[:-1])


def _parse_odd_headers(lines: list[str]) -> tuple[Headers, str]:
    """Line by line, with all that the grammar allows."""
    fault = "too many headers" if len(lines) > MAX_HEADERS else ""
    pairs: list[tuple[str, str]] = []
    for line in lines[:MAX_HEADERS]:
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if colon and is_token(name) and is_fit(value):
            pairs.append((name, value.strip(" \t")))
        else:
            fault = fault or f"bad header line {line[:40]!r}"
    return Headers.received(pairs), fault


def _parse_response(start: str, headers: Headers, body: bytes, fault: str) -> tuple[Response, Essentials]:
    match = _STATUS_LINE.fullmatch(start)
    if match is None or match.group(1) != "2.0" or not is_fit(start):
        raise RemoteProtocolError(f"bad status line {start[:60]!r}")
    if fault:
        raise RemoteProtocolError(fault)
    response = Response(int(match.group(2)), match.group(3) or "", headers, _cut_body(headers, body))
    return response, read_essentials(headers)


def _parse_request(start: str, headers: Headers, body: bytes, fault: str) -> tuple[Request, Essentials]:
    method, uri, version = _parse_request_line(start)
    readable = uri != "" and _URI_UNFIT.search(uri) is None
    try:
        if version != "2.0":
            raise RemoteProtocolError(f"SIP version {version[:10]}", 505)
        if fault or not readable:
            raise RemoteProtocolError(fault or f"bad request line {start[:60]!r}")
        request = Request(method, uri, headers, _cut_body(headers, body))
        return request, check_request(request)
    except RemoteProtocolError as error:
        stand_in = Request(method, uri if readable else _UNKNOWN_URI, headers)
        if is_answerable(stand_in):
            raise BadRequest(str(error), error.status_hint, stand_in) from error
        raise


def _parse_request_line(start: str) -> tuple[str, str, str]:
    """Return (method, URI, version); the URI is "" where spaces make it doubtful (RFC 4475 §3.1.2.9)."""
    method, _, rest = start.partition(" ")
    uri, _, version_text = rest.rpartition(" ")
    version = _VERSION.fullmatch(version_text)
    if version is None and rest.rstrip().upper().endswith("SIP/2.0"):
        version, uri = _VERSION.fullmatch("SIP/2.0"), ""
    if version is None or not is_token(method):
        raise RemoteProtocolError(f"bad request line {start[:60]!r}")
    return method, uri, version.group(1)


def content_length(head: bytes) -> int | None:
    """The body length that a head with its empty line announces, None where it is silent; RemoteProtocolError where
    it is doubtful. For streams, where it says how far a message goes."""
    pieces = _split(head)
    return _announced(_parse_headers(pieces.lines, pieces.eol)[0])


def answerable_head(head: bytes) -> Request:
    """The head of a request whose body will never be read, fit for a response and for nothing else.

    RemoteProtocolError for what cannot be answered.
    """
    pieces = _split(head)
    method, uri, _version = _parse_request_line(pieces.start)
    readable = uri != "" and _URI_UNFIT.search(uri) is None
    stand_in = Request(method, uri if readable else _UNKNOWN_URI, _parse_headers(pieces.lines, pieces.eol)[0])
    if not is_answerable(stand_in):
        raise RemoteProtocolError("a request that cannot be answered")
    return stand_in


def _announced(headers: Headers) -> int | None:
    lengths: set[int] = set()
    for value in headers.get_all("Content-Length"):
        match = _LENGTH.fullmatch(value)
        if match is None:
            raise RemoteProtocolError(f"bad Content-Length {value[:40]!r}")
        lengths.add(int(match.group(1)))
    if len(lengths) > 1:
        raise RemoteProtocolError("several Content-Lengths")
    return lengths.pop() if lengths else None


def _cut_body(headers: Headers, rest: bytes) -> bytes:
    length = _announced(headers)
    if length is None:
        return rest
    if length > len(rest):
        raise RemoteProtocolError("body shorter than Content-Length")
    return rest[:length]
