"""Who may send to a listener at all: networks that are allowed and networks that are denied. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from voicegw.base.errors import ConfigError

_REMEMBERED = 4096


class AccessList:
    """The most exact network that holds an address decides; of two that are equal ``deny`` does. Where ``allow``
    names any, an address in none of them is denied."""

    def __init__(self, allow: Sequence[str], deny: Sequence[str]) -> None:
        """Raises ConfigError for what is no network."""
        self._allow = [_network("allow", text) for text in allow]
        self._deny = [_network("deny", text) for text in deny]
        self.is_open = not (allow or deny)
        self.denies = lru_cache(maxsize=_REMEMBERED)(self._denies)

    def _denies(self, host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        allowed = max((network.prefixlen for network in self._allow if address in network), default=-1)
        denied = max((network.prefixlen for network in self._deny if address in network), default=-1)
        return denied >= allowed if denied >= 0 else bool(self._allow) and allowed < 0


def _network(name: str, text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(
            f"{name} has no network in {text!r}", fix="write 192.0.2.0/24, 2001:db8::/32, or one address"
        ) from None
