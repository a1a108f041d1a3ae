"""Session descriptions as immutable values (RFC 8866): what we read of them as fields, the rest verbatim.

Read with tolerance (bare LF, no ``s=`` or ``t=``, lines in an odd order), written strictly. Text is latin-1, one
character a byte, so whatever came in can be written out bit for bit.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from itertools import pairwise
from string import ascii_lowercase
from typing import TypeAlias

from msgspec import Struct

from voicegw.base.errors import LocalError, RemoteProtocolError

MAX_LINES = 1_000
MAX_MEDIA = 32
MAX_FORMATS = 128
_KINDS = frozenset(f"{letter}=" for letter in ascii_lowercase)
_MEDIA = re.compile(r"([^ /]+) +([0-9]{1,5})(?:/([0-9]{1,5}))? +([^ ]+) +([^ ].*)")
_UNFIT = re.compile(r"[\r\n\0]|[^\x00-\xff]")

Attributes: TypeAlias = tuple[tuple[str, str | None], ...]


_LONGEST_LITERAL = 64
"""Longer than any address; what is longer is none, cut or not, and must not fill the cache."""


@lru_cache(maxsize=1024)
def _literal(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


class Connection(Struct, frozen=True, gc=False):
    """``c=IN IP4 address``: where media is to go; ``address`` may be a name or carry a multicast ``/ttl``."""

    address: str
    address_type: str = "IP4"

    def __str__(self) -> str:
        return f"IN {self.address_type} {self.address}"

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The address literal, or None for a name, which we never resolve: a call does not wait for DNS."""
        return _literal(self.address.partition("/")[0].partition("%")[0][:_LONGEST_LITERAL])


def connection_for(address: str) -> Connection:
    """Return the connection line for an IPv4 or IPv6 literal; LocalError for anything else."""
    ip = _literal(address) if len(address) <= _LONGEST_LITERAL else None
    if ip is None:
        raise LocalError(f"not an address: {address[:60]!r}")
    return Connection(address, f"IP{ip.version}")


class Origin(Struct, frozen=True, gc=False):
    """``o=``: who made the description, and its version. Numbers stay text: peers exceed every integer size."""

    username: str
    session_id: str
    version: str
    connection: Connection

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {self.connection}"


class MediaDescription(Struct, frozen=True, gc=False):
    """One ``m=`` section. ``formats`` are payload types for RTP; ``other`` has its i=, b= and k= lines verbatim."""

    media: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: Attributes = ()
    port_count: int = 1
    other: tuple[str, ...] = ()

    def attribute(self, name: str) -> str | None:
        """Return the value of the first attribute called ``name`` ("" for a flag), None without one."""
        return find_attribute(self.attributes, name)

    @property
    def is_rtp(self) -> bool:
        """True where the protocol is an RTP profile, so that formats are payload types."""
        return "RTP/" in self.protocol.upper()


class SessionDescription(Struct, frozen=True, gc=False):
    """A whole description. ``other`` holds the session's i=, u=, e=, p=, b=, r=, z= and k= lines verbatim."""

    origin: Origin
    media: tuple[MediaDescription, ...] = ()
    connection: Connection | None = None
    attributes: Attributes = ()
    name: str = "-"
    times: tuple[str, ...] = ("0 0",)
    other: tuple[str, ...] = ()

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """Return the connection that counts for ``media``: its own, else the session's (RFC 8866 §5.7)."""
        return media.connection or self.connection

    def attribute_of(self, media: MediaDescription, name: str) -> str | None:
        """Return an attribute of ``media``, or of the session where the media section does not set it."""
        own = media.attribute(name)
        return find_attribute(self.attributes, name) if own is None else own

    def with_origin(self, origin: Origin) -> SessionDescription:
        """Return a copy that is made by ``origin``."""
        return SessionDescription(
            origin, self.media, self.connection, self.attributes, self.name, self.times, self.other
        )


def find_attribute(attributes: Attributes, name: str) -> str | None:
    """Return the value of the first attribute called ``name``, "" for one without a value, None without it."""
    for own, value in attributes:
        if own == name:
            return value or ""
    return None


class _Section:
    """What has been read of the session level or of one media section."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.attributes: list[tuple[str, str | None]] = []
        self.other: list[str] = []

    def take(self, kind: str, value: str) -> None:
        match kind:
            case "a":
                name, colon, text = value.partition(":")
                self.attributes.append((name, text if colon else None))
            case "c":
                self.connection = self.connection or _parse_connection(value)
            case _:
                self.other.append(f"{kind}={value}")


def parse(data: bytes) -> SessionDescription:
    """Parse a description; RemoteProtocolError with hint 400 for what is none, 488 for one beyond our limits."""
    text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode("latin-1")
    lines = [line for line in text.split("\n") if line.strip(" \t")]
    if len(lines) > MAX_LINES:
        raise RemoteProtocolError("too many lines", 488)
    fields = [_parse_line(line) for line in lines]
    if not fields or fields[0] != ("v", "0"):
        raise RemoteProtocolError("not a session description")
    starts = [index for index, (kind, _) in enumerate(fields) if kind == "m"]
    if len(starts) > MAX_MEDIA:
        raise RemoteProtocolError("too many media descriptions", 488)
    media = tuple(_parse_media(fields[start:end]) for start, end in pairwise([*starts, len(fields)]))
    return _parse_session(fields[1 : starts[0] if starts else None], media)


def _parse_line(line: str) -> tuple[str, str]:
    if line[:2] not in _KINDS or "\0" in line:
        raise RemoteProtocolError(f"bad line {line[:40]!r}")
    return line[0], line[2:].strip(" \t")


def _parse_session(fields: list[tuple[str, str]], media: tuple[MediaDescription, ...]) -> SessionDescription:
    section = _Section()
    origin: Origin | None = None
    name = "-"
    times: list[str] = []
    for kind, value in fields:
        match kind:
            case "o":
                origin = origin or _parse_origin(value)
            case "s":
                name = value or "-"
            case "t":
                times.append(value)
            case _:
                section.take(kind, value)
    if origin is None:
        raise RemoteProtocolError("no o= line")
    return SessionDescription(
        origin=origin,
        media=media,
        connection=section.connection,
        attributes=tuple(section.attributes),
        name=name,
        times=tuple(times) or ("0 0",),
        other=tuple(section.other),
    )


def _parse_media(fields: list[tuple[str, str]]) -> MediaDescription:
    match = _MEDIA.fullmatch(fields[0][1])
    if match is None:
        raise RemoteProtocolError(f"bad m= line {fields[0][1][:40]!r}")
    media, port, count, protocol, format_text = match.groups()
    section = _Section()
    for kind, value in fields[1:]:
        section.take(kind, value)
    description = MediaDescription(
        media=media,
        port=int(port),
        protocol=protocol,
        formats=tuple(format_text.split()),
        connection=section.connection,
        attributes=tuple(section.attributes),
        port_count=int(count or 1),
        other=tuple(section.other),
    )
    _check_limits(description)
    return description


def _check_limits(media: MediaDescription) -> None:
    if media.port > 65535 or not 1 <= media.port_count <= 65535:
        raise RemoteProtocolError("bad port in m= line", 488)
    if len(media.formats) > MAX_FORMATS:
        raise RemoteProtocolError("too many formats in m= line", 488)
    if media.is_rtp and not all(map(_is_payload_type, media.formats)):
        raise RemoteProtocolError("payload type beyond 127", 488)


def _is_payload_type(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) < 128


def _parse_connection(value: str) -> Connection:
    parts = value.split()
    if len(parts) != 3 or parts[0].upper() != "IN" or parts[1].upper() not in ("IP4", "IP6"):
        raise RemoteProtocolError(f"bad address in {value[:40]!r}")
    return Connection(parts[2], parts[1].upper())


def _parse_origin(value: str) -> Origin:
    parts = value.split()
    if len(parts) < 6:
        raise RemoteProtocolError(f"bad o= line {value[:40]!r}")
    username = " ".join(parts[:-5])
    return Origin(username, parts[-5], parts[-4], _parse_connection(" ".join(parts[-3:])))


def serialize(description: SessionDescription) -> bytes:
    """Write a description in the order of RFC 8866 §5; LocalError where a value holds CR, LF or NUL."""
    lines = ["v=0", f"o={description.origin}", f"s={description.name}"]
    lines += _ordered(description.other, "iuep")
    lines += _connection_line(description.connection)
    lines += _ordered(description.other, "b")
    lines += [f"t={time}" for time in description.times]
    lines += _ordered(description.other, None, "iuepb")
    lines += _attribute_lines(description.attributes)
    for media in description.media:
        lines += _media_lines(media)
    if _UNFIT.search("".join(lines)) is not None:
        raise LocalError("a session description may not hold CR, LF or NUL")
    return "\r\n".join([*lines, ""]).encode("latin-1")


def _media_lines(media: MediaDescription) -> list[str]:
    count = f"/{media.port_count}" if media.port_count != 1 else ""
    lines = [f"m={media.media} {media.port}{count} {media.protocol} {' '.join(media.formats)}"]
    lines += _ordered(media.other, "i")
    lines += _connection_line(media.connection)
    lines += _ordered(media.other, None, "i")
    return lines + _attribute_lines(media.attributes)


def _ordered(lines: tuple[str, ...], kinds: str | None, without: str = "") -> list[str]:
    return [line for line in lines if (line[0] in kinds if kinds is not None else line[0] not in without)]


def _connection_line(connection: Connection | None) -> list[str]:
    return [] if connection is None else [f"c={connection}"]


def _attribute_lines(attributes: Attributes) -> list[str]:
    return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]
