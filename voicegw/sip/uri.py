"""SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966): parsing, writing, comparing, and the number somebody dialled.

Parts are kept as they were written, escapes included, so that ``str(SipUri.parse(text))`` gives the text back.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TypeAlias

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.grammar import (
    MAX_PARAMS,
    NO_PARAMS,
    Params,
    check_host,
    from_wire,
    parse_host_port,
    to_wire,
    unescape,
)
from voicegw.sip.memo import remembered

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.+)", re.DOTALL)
_UNFIT = re.compile(r'[\x00-\x20\x7f<>"]|[^\x00-\xff]')
_PARAM_NAME = re.compile(r"[^\x00-\x20\x7f<>\"@;?=,]+")
# Strictly no "=" either, but proxies put base64 into the parameters of Contact and Record-Route.
_PARAM_VALUE = re.compile(r"[^\x00-\x20\x7f<>\"@;?,]*")
_TEL_NUMBER = re.compile(r"\+?[0-9A-Fa-f*#().\-]+")
_SEPARATORS = re.compile(r"[().\-]")
_USER_UNSAFE = re.compile(r"[^A-Za-z0-9\-_.!~*'()&=+$,;?/]")
_NEVER_IGNORED = ("user", "ttl", "method", "maddr", "transport")


def uri_scheme(text: str) -> str:
    """Return the scheme in lower case; RemoteProtocolError where ``text`` has none or cannot stand in a header."""
    return _known_scheme(text)


def _scheme(text: str) -> str:
    match = _SCHEME.fullmatch(text)
    if match is None or _UNFIT.search(text) is not None:
        raise RemoteProtocolError(f"not a URI: {text[:60]!r}")
    return match.group(1).lower()


_known_scheme = remembered(_scheme)


@dataclass(frozen=True, slots=True)
class SipUri:
    """``scheme:user:password@host:port;params?headers``; an IPv6 host has its brackets, absent parts are None."""

    host: str
    user: str | None = None
    port: int | None = None
    params: Params = NO_PARAMS
    scheme: str = "sip"
    password: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.scheme not in ("sip", "sips"):
            raise LocalError(f"not a SIP scheme: {self.scheme[:20]!r}")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise LocalError(f"not a port: {self.port}")
        if _UNFIT.search(str(self)) is not None:
            raise LocalError(f"unfit for a URI: {str(self)[:60]!r}")

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Parse a sip or sips URI; RemoteProtocolError for anything else."""
        return _sip_uri(text)

    @classmethod
    def _read(cls, text: str) -> SipUri:
        scheme = uri_scheme(text)
        if scheme not in ("sip", "sips"):
            raise RemoteProtocolError(f"not a SIP URI: {text[:60]!r}", 416)
        rest = text[len(scheme) + 1 :]
        userinfo, at, hostpart = rest.rpartition("@")
        if at and (not userinfo or "@" in userinfo or userinfo.startswith(":")):
            raise RemoteProtocolError(f"bad user part in {text[:60]!r}")
        user, colon, password = userinfo.partition(":")
        hostpart, question, header_text = hostpart.partition("?")
        place, semicolon, param_text = hostpart.partition(";")
        host, port = parse_host_port(place)
        return cls(
            host=host,
            user=user if at else None,
            port=port,
            params=_parse_params(param_text) if semicolon else NO_PARAMS,
            scheme=scheme,
            password=password if colon else None,
            headers=_parse_headers(header_text) if question else (),
        )

    def __str__(self) -> str:
        password = "" if self.password is None else f":{self.password}"
        userinfo = "" if self.user is None else f"{self.user}{password}@"
        port = "" if self.port is None else f":{self.port}"
        headers = "&".join(f"{name}={value}" for name, value in self.headers)
        return f"{self.scheme}:{userinfo}{self.host}{port}{self.params}{'?' if headers else ''}{headers}"

    @property
    def address(self) -> str:
        """The host without the brackets of an IPv6 reference."""
        return self.host.strip("[]")

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case."""
        value = self.params.get("transport")
        return None if value is None else value.lower()

    @property
    def is_loose_router(self) -> bool:
        """True with an ``lr`` parameter (RFC 3261 §16.12)."""
        return "lr" in self.params

    @property
    def is_phone(self) -> bool:
        """True with ``user=phone``: the user part is a telephone number (RFC 3261 §19.1.6)."""
        return (self.params.get("user") or "").lower() == "phone"

    def equivalent(self, other: SipUri) -> bool:
        """Compare by the rules of RFC 3261 §19.1.4, IPv6 addresses by value (RFC 5954 §4.2)."""
        return (
            self.scheme == other.scheme
            and _same_escaped(self.user, other.user)
            and _same_escaped(self.password, other.password)
            and _comparable_host(self.host) == _comparable_host(other.host)
            and self.port == other.port
            and _same_params(self.params, other.params)
            and _comparable_headers(self.headers) == _comparable_headers(other.headers)
        )


@dataclass(frozen=True, slots=True)
class TelUri:
    """``tel:number;params`` (RFC 3966); ``number`` keeps its visual separators."""

    number: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> TelUri:
        """Parse a tel URI; RemoteProtocolError for anything else."""
        if uri_scheme(text) != "tel":
            raise RemoteProtocolError(f"not a tel URI: {text[:60]!r}", 416)
        number, semicolon, param_text = text[4:].partition(";")
        if _TEL_NUMBER.fullmatch(number) is None:
            raise RemoteProtocolError(f"bad number {number[:40]!r}")
        return cls(number, _parse_params(param_text) if semicolon else NO_PARAMS)

    @property
    def digits(self) -> str:
        """The number without visual separators, the leading plus kept."""
        return _SEPARATORS.sub("", self.number)

    def __str__(self) -> str:
        return f"tel:{self.number}{self.params}"

    def equivalent(self, other: TelUri) -> bool:
        """Compare by RFC 3966 §4: separators and case do not count, every parameter does."""
        return self.digits.lower() == other.digits.lower() and _folded(self.params) == _folded(other.params)


_sip_uri = remembered(SipUri._read)
Uri: TypeAlias = SipUri | TelUri


def parse_uri(text: str) -> Uri:
    """Parse a URI that a call can go to; RemoteProtocolError(416) for another scheme (RFC 3261 §8.2.2.1)."""
    return TelUri.parse(text) if uri_scheme(text) == "tel" else SipUri.parse(text)


def dialled(text: str) -> str:
    """Return who or what a URI names: the number of a phone number, else the plain user part, "" without one.

    Escapes are resolved. Parameters of a number written as a user part (``+1555;ext=7``) are left out, and its
    visual separators with ``user=phone``. The result is text for people and dialplans, UTF-8 decoded; escapes can
    spell anything, so it may hold control characters.

    RemoteProtocolError where ``text`` is no sip, sips or tel URI.
    """
    uri = parse_uri(text)
    if isinstance(uri, TelUri):
        return uri.digits
    user = from_wire(unescape((uri.user or "").partition(";")[0]))
    return _SEPARATORS.sub("", user) if uri.is_phone and _TEL_NUMBER.fullmatch(user) else user


def escape_user(text: str) -> str:
    """Return ``text`` as a user part: UTF-8, everything that could end the part as %HH."""
    return _USER_UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", to_wire(text))


def make_sip_uri(
    host: str, user: str | None = None, port: int | None = None, params: Params | None = None
) -> SipUri:
    """Build a SIP URI from plain parts: the user is escaped, an IPv6 address gets its brackets.

    LocalError where a part does not fit.
    """
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    try:
        check_host(bracketed)
    except RemoteProtocolError as error:
        raise LocalError(str(error)) from error
    return SipUri(bracketed, None if user is None else escape_user(user), port, params or NO_PARAMS)


def _parse_params(text: str) -> Params:
    if text.count(";") > MAX_PARAMS:
        raise RemoteProtocolError("too many URI parameters")
    items: list[tuple[str, str | None]] = []
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if _PARAM_NAME.fullmatch(name) is None or _PARAM_VALUE.fullmatch(value) is None:
            raise RemoteProtocolError(f"bad URI parameter {part[:60]!r}")
        items.append((name, value if equals else None))
    return Params(tuple(items))


def _parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    for part in text.split("&"):
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise RemoteProtocolError(f"bad header in URI: {part[:60]!r}")
        headers.append((name, value))
    return tuple(headers)


def _same_escaped(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or unescape(one) == unescape(other)


def _comparable_host(host: str) -> str:
    if host.startswith("["):
        return ipaddress.IPv6Address(host[1:-1]).compressed
    return host.lower()


def _folded(params: Params) -> dict[str, str | None]:
    return {unescape(name).lower(): None if value is None else unescape(value).lower() for name, value in params}


def _same_params(one: Params, other: Params) -> bool:
    """Shared parameters must agree; the ones that choose where a request goes may not be missing on one side.

    ``transport`` belongs to those by the examples of §19.1.4, though its text leaves it out.
    """
    mine, theirs = _folded(one), _folded(other)
    if any((name in mine) != (name in theirs) for name in _NEVER_IGNORED):
        return False
    return all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys())


def _comparable_headers(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return sorted((unescape(name).lower(), unescape(value)) for name, value in headers)
