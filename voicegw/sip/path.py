"""The way by which a REGISTER came, as the proxies on it wrote it down (RFC 3327): what of it can be used."""

from __future__ import annotations

from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.address import Address
from voicegw.sip.dialog import literal_address
from voicegw.sip.grammar import unescape
from voicegw.sip.headers import NameAddr
from voicegw.sip.uri import SipUri

MAX_PATH: Final = 4
"""Proxies between a phone and us."""
MAX_PROXY: Final = 512
"""Characters of one of them."""
RECEIVED: Final = "received"
"""Parameter of a proxy's URI: where it saw the phone, a SIP URI with escapes. Kamailio and OpenSIPS write it."""


def read_path(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values, the nearest proxy first; RemoteProtocolError for those that no request could take back (§5.2):
    too many, too long, a strict router, or one that would be passed twice."""
    if len(values) > MAX_PATH or any(len(value) > MAX_PROXY for value in values):
        raise RemoteProtocolError("a Path that is too long")
    proxies = [SipUri.parse(NameAddr.parse(value).uri) for value in values]
    if any(not proxy.is_loose_router or proxy.headers for proxy in proxies):
        raise RemoteProtocolError("a Path by what is no loose router")
    if len({str(proxy) for proxy in proxies}) < len(proxies):
        raise RemoteProtocolError("a Path that goes in a circle")
    return values


def proxy_of(path: tuple[str, ...]) -> Address | None:
    """Where the nearest proxy is, if the path says it by an address."""
    return literal_address(NameAddr.parse(path[0]).uri) if path else None


def keeps_flows(path: tuple[str, ...]) -> bool:
    """Whether the proxy next to the phone does its part of RFC 5626 (§5.1: ``ob``); without one that is us."""
    return not path or "ob" in SipUri.parse(NameAddr.parse(path[-1]).uri).params


def flow_of(path: tuple[str, ...]) -> Address | None:
    """Where the proxy next to the phone saw it, if that one says so."""
    if not path:
        return None
    seen = SipUri.parse(NameAddr.parse(path[-1]).uri).params.get(RECEIVED)
    return literal_address(unescape(seen)) if seen else None
