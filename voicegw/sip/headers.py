"""Typed views of the headers that the stack itself reads (RFC 3261 §20): Via, the name-addr family, CSeq.

Each parses from one header value and raises only RemoteProtocolError; ``str`` writes it back. A view is made when
somebody asks; messages keep the text, because what is copied into an answer must stay as it came.
"""

from __future__ import annotations

import re

from msgspec import Struct

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.grammar import (
    NO_PARAMS,
    TOKEN,
    Params,
    from_wire,
    is_fit,
    match_quoted,
    parse_host_port,
    parse_params,
    parse_port,
    quote,
)
from voicegw.sip.memo import remembered
from voicegw.sip.uri import uri_scheme

__all__ = ["CSeq", "DEFAULT_PORT", "MAX_CSEQ", "NameAddr", "Params", "Via", "parse_params"]

MAX_CSEQ = 2**31 - 1
DEFAULT_PORT = 5060
_WS = r"[ \t]*+"
_VIA = re.compile(rf"SIP{_WS}/{_WS}([0-9.]+){_WS}/{_WS}({TOKEN})[ \t]++([^;]+)(.*)", re.DOTALL | re.IGNORECASE)
_CSEQ = re.compile(rf"0*([0-9]{{1,10}})[ \t]+({TOKEN})")


class Via(Struct, frozen=True, gc=False):
    """One Via value: ``SIP/2.0/transport host:port;params`` (RFC 3261 §20.42). IPv6 hosts keep their brackets."""

    transport: str
    host: str
    port: int | None = None
    params: Params = NO_PARAMS
    version: str = "2.0"

    @classmethod
    def parse(cls, value: str) -> Via:
        """Parse one value. Ports, also of ``rport``, are 1-65535; another version than 2.0 is kept for the 505."""
        return _via(value)

    @classmethod
    def _read(cls, value: str) -> Via:
        match = _VIA.fullmatch(value.strip())
        if match is None or not is_fit(value):
            raise RemoteProtocolError(f"bad Via {value[:60]!r}")
        version, transport, sent_by, param_text = match.groups()
        host, port = parse_host_port(sent_by.strip())
        params = parse_params(param_text)
        rport = params.get("rport")
        if rport:
            parse_port(rport)
        return cls(transport.upper(), host, port, params, version)

    def __str__(self) -> str:
        return f"SIP/{self.version}/{self.transport} {self.sent_by}{self.params}"

    @property
    def sent_by(self) -> str:
        """``host`` or ``host:port`` as the sender wrote it; part of the transaction key (RFC 3261 §17.2.3)."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def branch(self) -> str | None:
        """The branch parameter."""
        return self.params.get("branch")

    @property
    def received(self) -> str | None:
        """The address that the request really came from, without brackets (RFC 5118 §4.5 saw both forms)."""
        value = self.params.get("received")
        return None if value is None else value.strip("[]")

    @property
    def wants_rport(self) -> bool:
        """True where the sender asks for a symmetric response (RFC 3581 §4)."""
        return "rport" in self.params

    @property
    def rport(self) -> int | None:
        """The port that the request really came from, once filled in."""
        value = self.params.get("rport")
        return int(value) if value else None

    def with_param(self, name: str, value: str | None = None) -> Via:
        """Return a copy with the parameter set; LocalError for an unfit value."""
        return Via(self.transport, self.host, self.port, self.params.with_(name, value), self.version)

    def with_source(self, address: str, port: int) -> Via:
        """Return a copy with what the server transport adds: received and, when asked for, rport.

        RFC 3261 §18.2.1, RFC 3581 §4. ``received`` is added where it differs from the host, always with rport.
        """
        params, wants_rport = self.params, self.wants_rport
        if wants_rport:
            params = params.with_("rport", str(port))
        if wants_rport or self.host.strip("[]") != address:
            params = params.with_("received", address)
        return self if params is self.params else Via(self.transport, self.host, self.port, params, self.version)

    def response_target(self) -> tuple[str, int]:
        """Return (host or address, port) that a response goes to over UDP (RFC 3261 §18.2.2, RFC 3581 §4).

        ``maddr`` is ignored on purpose: it would let a stranger aim our responses at anyone.
        """
        return self.received or self.host.strip("[]"), self.rport or self.port or DEFAULT_PORT


class NameAddr(Struct, frozen=True, gc=False):
    """A value of From, To, Contact, Route, Record-Route, Refer-To and their kin (RFC 3261 §20.10).

    ``uri`` is text; ``display_name`` is without quotes, its characters bytes of the wire (see ``display_text``).
    """

    uri: str
    display_name: str = ""
    params: Params = NO_PARAMS

    def __post_init__(self) -> None:
        if (
            "\r" in self.display_name
            or "\n" in self.display_name
            or not is_fit(self.display_name.replace("\0", ""))
        ):
            raise LocalError(f"not a display name: {self.display_name[:60]!r}")
        try:
            uri_scheme(self.uri)
        except RemoteProtocolError as error:
            raise LocalError(str(error)) from error

    @classmethod
    def parse(cls, value: str) -> NameAddr:
        """Parse one value, with or without angle brackets.

        Tolerated, because they are unambiguous: spaces inside the brackets and a display name that lacks quotes.
        """
        return _name_addr(value)

    @classmethod
    def _read(cls, value: str) -> NameAddr:
        if not is_fit(value):
            raise RemoteProtocolError("control character in an address")
        text = value.strip()
        quoted = match_quoted(text)
        if quoted is None and "<" not in text:
            return cls._parse_bare(text)
        display, rest = (
            quoted if quoted is not None else (text[: text.index("<")].rstrip(), text[text.index("<") :])
        )
        rest = rest.lstrip()
        uri, bracket, param_text = rest[1:].partition(">")
        if not rest.startswith("<") or not bracket or (quoted is None and '"' in display):
            raise RemoteProtocolError(f"bad address {value[:60]!r}")
        uri = uri.strip()
        uri_scheme(uri)
        return cls(uri, display, parse_params(param_text))

    @classmethod
    def _parse_bare(cls, text: str) -> NameAddr:
        """Without brackets a semicolon starts header parameters, and a URI may hold neither comma nor ``?``."""
        uri, semicolon, param_text = text.partition(";")
        uri = uri.rstrip()
        uri_scheme(uri)
        if "," in uri or "?" in uri:
            raise RemoteProtocolError(f"URI needs angle brackets: {text[:60]!r}")
        return cls(uri, "", parse_params(semicolon + param_text))

    def __str__(self) -> str:
        display = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{display}<{self.uri}>{self.params}"

    @property
    def display_text(self) -> str:
        """The display name for people, UTF-8 decoded."""
        return from_wire(self.display_name)

    @property
    def tag(self) -> str | None:
        """The tag parameter of From and To (RFC 3261 §19.3)."""
        return self.params.get("tag")

    def with_tag(self, tag: str) -> NameAddr:
        """Return a copy that carries ``tag``."""
        return self.with_param("tag", tag)

    def with_param(self, name: str, value: str | None = None) -> NameAddr:
        """Return a copy with the header parameter set; LocalError for an unfit value."""
        return NameAddr(self.uri, self.display_name, self.params.with_(name, value))


class CSeq(Struct, frozen=True, gc=False):
    """``number method`` (RFC 3261 §20.16); the number is below 2^31 (§8.1.1.5)."""

    number: int
    method: str

    @classmethod
    def parse(cls, value: str) -> CSeq:
        """Parse the header; RemoteProtocolError for an overflow, which has crashed other servers."""
        return _cseq(value)

    @classmethod
    def _read(cls, value: str) -> CSeq:
        match = _CSEQ.fullmatch(value.strip())
        if match is None or int(match.group(1)) > MAX_CSEQ:
            raise RemoteProtocolError(f"bad CSeq {value[:60]!r}")
        return cls(int(match.group(1)), match.group(2))

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


_via = remembered(Via._read)
_name_addr = remembered(NameAddr._read)
_cseq = remembered(CSeq._read)
