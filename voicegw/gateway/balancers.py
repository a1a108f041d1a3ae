"""Who is behind a balancer: all callers have its address there, and it says whose request it passes on.

Only proxies that the configuration names are believed. They take the header away from whoever sends it, and write
theirs behind all others, so that the last one counts.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final, TypeAlias

from voicegw.sip.address import Address, is_literal, plain_host
from voicegw.sip.incoming import Incoming

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

SOURCE: Final = "X-Voicegw-Source"
"""An IP address, IPv6 with or without brackets."""
BANNED: Final = "X-Voicegw-Banned"
"""To the balancer, in a refusal: seconds for which it may spare us this address."""
_CACHED: Final = 1024


class Balancers:
    """Proxies in these networks."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._is_one = lru_cache(maxsize=_CACHED)(self._look_up)

    def sender(self, incoming: Incoming) -> Address:
        """Whom the proxy names; the source itself of what came by none, or where it names nobody."""
        source = incoming.source
        if not self.has(source.host):
            return source
        named = incoming.request.headers.get_all(SOURCE)
        host = plain_host(named[-1]) if named else ""
        return source._replace(host=host) if is_literal(host) else source

    def has(self, host: str) -> bool:
        """Whether it is the address of one."""
        return bool(self._networks) and self._is_one(host)

    def _look_up(self, host: str) -> bool:
        address = ipaddress.ip_address(host)
        return any(address in network for network in self._networks)
