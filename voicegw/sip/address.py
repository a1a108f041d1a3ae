"""Transport addresses, and the check that every one of them passes before a socket sees it (RFC 3261 §18).

CPython 3.11 kills an asyncio datagram transport for good when ``sendto`` gets a port above 65535 (OverflowError),
and a host name in ``sendto`` blocks on the resolver. So: a literal address and a port from 1 to 65535, or nothing
is sent.
"""

from __future__ import annotations

import ipaddress
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

DEFAULT_PORT = 5060
SECURE_PORT = 5061


class Transport(Enum):
    """How messages travel; the value is what a Via says (RFC 3261 §20.42, RFC 7118 §4.3)."""

    __hash__ = object.__hash__  # members are singletons; that of Enum is a function in Python

    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"
    WS = "WS"
    WSS = "WSS"

    @property
    def is_reliable(self) -> bool:
        """Whether nothing is lost on the way, so that nothing is sent twice (§17)."""
        return self is not Transport.UDP

    @property
    def is_secure(self) -> bool:
        """Whether it is TLS below."""
        return self in (Transport.TLS, Transport.WSS)

    @property
    def is_web(self) -> bool:
        """Whether the other end is a browser: it has no address of its own, only the connection (RFC 7118)."""
        return self in (Transport.WS, Transport.WSS)

    @property
    def uri_parameter(self) -> str:
        """For a Contact of ours: ``;transport=…``, nothing for UDP. Both WebSockets are ``ws`` (RFC 7118 §5.2.3);
        ``tls`` is deprecated by §26.2.2 and what every carrier understands."""
        if self is Transport.UDP:
            return ""
        return ";transport=" + ("ws" if self.is_web else self.value.lower())

    @property
    def default_port(self) -> int:
        """Where no port is written (§19.1.2, RFC 7118 §5.2.3)."""
        return _DEFAULT_PORTS.get(self, DEFAULT_PORT)


_DEFAULT_PORTS = {Transport.TLS: SECURE_PORT, Transport.WS: 80, Transport.WSS: 443}


class Address(NamedTuple):
    """A literal IPv4 or IPv6 address (without brackets), a port, and how to get there.

    ``flow`` names the connection that a message came by, or 0: what goes to an address with a flow takes that
    connection while it lives, and opens one to ``host:port`` where it does not (RFC 5923, RFC 3261 §18.2.2).

    ``name`` is the host name that led here, or "": the name that a TLS server is asked for and has to prove
    (RFC 5922 §7.3), which is the one in the URI and never the target of a DNS record.
    """

    host: str
    port: int
    transport: Transport = Transport.UDP
    flow: int = 0
    name: str = ""

    @property
    def place(self) -> tuple[str, int]:
        """What a socket wants."""
        return (self.host, self.port)

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


@lru_cache(maxsize=4096)
def is_literal(host: str) -> bool:
    """Tell whether ``host`` is an address that needs no resolver."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def is_sendable(address: Address) -> bool:
    """Tell whether anything may be sent there."""
    return 1 <= address.port <= 65535 and is_literal(address.host)


def bracketed(host: str) -> str:
    """The form that an address has in a URI or a Via: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def unbracketed(host: str) -> str:
    """The form that an address has at the socket."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


@lru_cache(maxsize=4096)
def plain_host(host: str) -> str:
    """The one form of all spellings of a name or an address: IPv4 is no IPv6, and no name ends in a dot."""
    plain = unbracketed(host.strip()).lower().rstrip(".")
    if not is_literal(plain):
        return plain
    address = ipaddress.ip_address(plain)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
