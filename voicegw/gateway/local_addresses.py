"""Which address of ours a peer reaches: for Via, Contact and SDP (RFC 3261 §18.1.1)."""

from __future__ import annotations

import ipaddress
import socket

from voicegw.sip.address import Address

CACHE_SIZE = 1024


class LocalAddresses:
    """Answers for a socket bound to one address, or to all of them.

    For all of them the routing table decides, which a connected UDP socket reveals without sending anything.
    Answers are cached by peer until ``forget``, because a system call for each datagram would be a gift to a flood.
    ``name`` and ``port`` are what Via and Contact say in place of the address and the port of the socket.
    """

    def __init__(self, bound: Address, advertised_ip: str = "", *, name: str = "", port: int = 0) -> None:
        specified = not ipaddress.ip_address(bound.host).is_unspecified
        self._fixed = advertised_ip or (bound.host if specified else "")
        self._name = name
        self._port = port or bound.port
        self._cache: dict[str, Address] = {}

    def __call__(self, peer: Address) -> Address:
        """Our address towards ``peer``; loopback where there is no route at all."""
        found = self._cache.get(peer.host)
        if found is None:
            if len(self._cache) >= CACHE_SIZE:
                self.forget()
            found = Address(self._name or self.ip(peer), self._port)
            self._cache[peer.host] = found
        return found

    def ip(self, peer: Address) -> str:
        """The same as digits, for media."""
        return self._fixed or route_source(peer.host)

    def forget(self) -> None:
        """Ask the routing table again from now on."""
        self._cache.clear()


def route_source(host: str) -> str:
    """The source address that the kernel would take towards ``host``, a literal address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])
