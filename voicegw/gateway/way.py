"""The way of a request: past outbound proxies, or to other hosts than its target names (RFC 3261 §8.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.address import Address
from voicegw.sip.headers import NameAddr
from voicegw.sip.uri import SipUri


@dataclass(frozen=True, slots=True)
class Way:
    """How a request travels where its Request-URI alone does not say (RFC 3261 §8.1.2)."""

    routes: tuple[str, ...] = ()
    """Route values: the outbound proxies that it passes, in this order. The first one is located."""
    hosts: tuple[str, ...] = ()
    """SIP URIs that are located in place of the Request-URI, the next one where all servers of one failed."""
    addresses: tuple[Address, ...] = ()
    """Where to send it whatever the rest says: a registered phone is where its REGISTER came from."""
    delayed_offer: bool = False
    """The called side is to offer, in its 200 or in a reliable 183; we answer in the ACK or PRACK (RFC 3264 §4)."""

    def next_hops(self, target_uri: str) -> list[SipUri]:
        """What is located: the first Route, else the hosts that stand in for the target, else the target.

        RemoteProtocolError for what is no SIP URI.
        """
        if self.routes:
            return [SipUri.parse(NameAddr.parse(self.routes[0]).uri)]
        if not self.hosts:
            return [SipUri.parse(target_uri)]
        hosts = [SipUri.parse(host) for host in self.hosts]
        if SipUri.parse(target_uri).scheme == "sips" and any(host.scheme != "sips" for host in hosts):
            raise RemoteProtocolError("a sips: target does not go by a host without TLS")
        return hosts


DIRECT: Final = Way()


def loose_route(uri: str) -> str:
    """A Route value for a proxy. ``lr`` is added: a strict router (RFC 2543) would want another Request-URI, and
    none has been met for many years. RemoteProtocolError for what is no SIP URI."""
    parsed = SipUri.parse(uri)
    return f"<{uri}>" if parsed.is_loose_router else f"<{uri};lr>"
