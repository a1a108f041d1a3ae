"""Transport addresses, and the check that every one of them passes before a socket sees it.

CPython 3.11 kills an asyncio datagram transport for good when ``sendto`` gets a port above 65535 (OverflowError),
and a host name in ``sendto`` blocks on the resolver. So: a literal address and a port from 1 to 65535, or nothing
is sent.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple

DEFAULT_PORT = 5060


class Address(NamedTuple):
    """A literal IPv4 or IPv6 address (without brackets) and a UDP port."""

    host: str
    port: int

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
    """Tell whether a datagram may be sent there."""
    return 1 <= address.port <= 65535 and is_literal(address.host)


def bracketed(host: str) -> str:
    """The form that an address has in a URI or a Via: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def unbracketed(host: str) -> str:
    """The form that an address has at the socket."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host
