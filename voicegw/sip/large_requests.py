"""Requests that are too large for a datagram (RFC 3261 §18.1.1).

Pieces of a UDP packet get lost, and firewalls drop them on purpose. What is larger than the limit goes by TCP, and
by UDP after all where no TCP connection can be made.
"""

from __future__ import annotations

from voicegw.sip.address import Address, Transport
from voicegw.sip.message import Request

REMEMBERED_S = 300.0
"""How long a peer without TCP is spared another attempt: each one may cost its caller seconds of silence."""
_MOST_PEERS = 1024


class DatagramLimit:
    """``limit_bytes`` 0: there is none."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._without_tcp: dict[Address, float] = {}

    def way(self, request: Request, peer: Address, now: float) -> Address:
        """``peer`` itself, or the same place by TCP."""
        if not self.limit_bytes or peer.transport is not Transport.UDP or size_of(request) <= self.limit_bytes:
            return peer
        if now < self._without_tcp.get(peer, 0.0):
            return peer
        return peer._replace(transport=Transport.TCP, flow=0)

    def no_tcp(self, peer: Address, now: float) -> None:
        """There was no way to ``peer``, an address of UDP, by TCP."""
        if len(self._without_tcp) >= _MOST_PEERS:
            self._without_tcp.clear()
        self._without_tcp[peer] = now + REMEMBERED_S


def size_of(request: Request) -> int:
    """Its bytes on the wire, near enough: Content-Length may be written anew."""
    head = len(request.method) + len(request.uri) + 34
    return head + sum(len(name) + len(value) + 4 for name, value in request.headers) + len(request.body)
