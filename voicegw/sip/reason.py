"""Why a request was sent or refused, in the words of ISDN or SIP: the Reason header (RFC 3326, RFC 9366)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.grammar import NO_PARAMS, from_wire, is_token, parse_params, quote, to_wire, unquote
from voicegw.sip.message import Headers

Q850 = "Q.850"
SIP = "SIP"


@dataclass(frozen=True, slots=True)
class Reason:
    """One value: the protocol as registered (``Q.850``, ``SIP``), its cause (0 for none), and words for people."""

    protocol: str
    cause: int = 0
    text: str = ""

    def __post_init__(self) -> None:
        if not is_token(self.protocol):
            raise LocalError(f"not a protocol: {self.protocol[:40]!r}")
        if any(character in self.text for character in "\r\n\0"):
            raise LocalError("a reason may not hold CR, LF or NUL")

    def __str__(self) -> str:
        params = NO_PARAMS
        if self.cause:
            params = params.with_("cause", str(self.cause))
        if self.text:
            params = params.with_("text", quote(to_wire(self.text)))
        return f"{self.protocol}{params}"


def parse_reason(value: str) -> Reason:
    """Parse one value; RemoteProtocolError for what is none. The protocol is written as it is registered."""
    protocol, semicolon, rest = value.partition(";")
    protocol = protocol.strip()
    if not is_token(protocol):
        raise RemoteProtocolError(f"bad Reason {value[:60]!r}")
    params = parse_params(semicolon + rest)
    cause = params.get("cause") or "0"
    if re.fullmatch(r"[0-9]{1,3}", cause) is None:
        raise RemoteProtocolError(f"bad cause in Reason {value[:60]!r}")
    text = re.sub(r"[\r\n\0]", "", from_wire(unquote(params.get("text") or "")))
    known = {known.lower(): known for known in (Q850, SIP)}
    return Reason(known.get(protocol.lower(), protocol), int(cause), text)


def reasons(headers: Headers) -> tuple[Reason, ...]:
    """All values that can be read."""
    found = []
    for value in headers.values("Reason"):
        try:
            found.append(parse_reason(value))
        except RemoteProtocolError:
            continue
    return tuple(found)


def q850_cause(headers: Headers) -> int:
    """The Q.850 cause that a peer gave, 0 where it gave none."""
    return next((one.cause for one in reasons(headers) if one.protocol == Q850), 0)
