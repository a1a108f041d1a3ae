"""Where somebody can be reached: the bindings of an address of record (RFC 3261 §10.3, RFC 3327, RFC 5626)."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.address import Address
from voicegw.sip.grammar import unquote
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers
from voicegw.sip.uri import SipUri

MAX_CONTACT = 512
"""Characters of a Contact that are kept."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact of one user. ``expires_at`` in monotonic seconds."""

    contact: str
    """The URI as the phone wrote it: it knows itself by nothing else."""
    source: Address
    """Where its REGISTER came from, which is the way back through its NAT or along its connection."""
    expires_at: float
    call_id: str
    cseq: int
    q: int = 1000
    """Preference in thousandths; of two contacts the higher one is called first."""
    path: tuple[str, ...] = ()
    """Proxies between us and the phone, the nearest first (RFC 3327)."""
    instance: str = ""
    """``+sip.instance``: the same device under whatever address (RFC 5626 §4.1)."""
    reg_id: int = 0
    """Which of its flows; 0 without RFC 5626."""
    user_agent: str = ""
    """What the device calls itself."""

    def is_same_contact(self, other: Binding) -> bool:
        """By device and flow where both have them, else by comparing the URIs (RFC 5626 §6, RFC 3261 §10.3)."""
        if self.instance and self.reg_id and other.reg_id:
            return (self.instance, self.reg_id) == (other.instance, other.reg_id)
        return SipUri.parse(self.contact).equivalent(SipUri.parse(other.contact))


@dataclass(frozen=True, slots=True)
class AskedContact:
    """One Contact value of a REGISTER. ``expires`` in seconds, None where only the header says it."""

    uri: str
    q: int
    expires: int | None
    instance: str
    reg_id: int


def read_contacts(headers: Headers) -> list[AskedContact]:
    """The Contact values but ``*``; RemoteProtocolError for one that nobody could be reached at."""
    return [_read_contact(value) for value in headers.values("Contact") if value != "*"]


def _read_contact(value: str) -> AskedContact:
    parsed = NameAddr.parse(value)
    if len(parsed.uri) > MAX_CONTACT:
        raise RemoteProtocolError("a Contact that is too long")
    uri = SipUri.parse(parsed.uri)
    if uri.headers:
        raise RemoteProtocolError("headers in a Contact")
    reg_id = parsed.params.get("reg-id") or ""
    return AskedContact(
        uri=parsed.uri,
        q=_thousandths(parsed.params.get("q")),
        expires=read_expires(parsed.params.get("expires")),
        instance=unquote(parsed.params.get("+sip.instance") or "")[:200],
        reg_id=int(reg_id) if reg_id.isascii() and reg_id.isdigit() and len(reg_id) < 10 else 0,
    )


def read_expires(value: str | None) -> int | None:
    """Seconds, None where nothing is said; what is no number counts as 3600 (RFC 3261 §10.3, §20.19)."""
    if value is None:
        return None
    text = value.strip()
    return min(int(text), 2**32 - 1) if text.isascii() and text.isdigit() and len(text) <= 10 else 3600


def _thousandths(value: str | None) -> int:
    """A q value; what is none counts as 1 (RFC 3261 §20.10)."""
    try:
        q = float(value) if value is not None else 1.0
    except ValueError:
        return 1000
    return round(min(max(q, 0.0), 1.0) * 1000) if q == q else 1000
