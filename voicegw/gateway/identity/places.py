"""Where a certificate may be fetched. A stranger writes the URL, and it is we who send the request (SSRF). Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from voicegw.gateway.identity.config import IdentityConfig
from voicegw.sip.address import bracketed
from voicegw.stir.faults import Fault, IdentityFault

_Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_PRINTABLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_TRIES = 3
"""Addresses of one host that are asked."""
_ADDRESS = re.compile(r"\d+|0x[0-9a-f]*")
"""The last part of what the system's resolver takes for an IPv4 address, in any of its forms."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Place:
    """A file on a web server that may be asked for it, https understood."""

    host: str
    """In lower case."""
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        return self.host if self.port == 443 else f"{self.host}:{self.port}"

    def url_at(self, address: str) -> str:
        """With an address in place of the name, which was resolved and found to be allowed."""
        return f"https://{bracketed(address)}:{self.port}{self.path}"


def read_place(url: str, config: IdentityConfig) -> Place:
    """Where ``url`` leads; IdentityFault (436) for where we do not go.

    A query is refused as ATIS-1000074 §5.3.1 has none: with one, a single host could have us fetch without end.
    """
    try:
        parts = urlsplit(url if _PRINTABLE.fullmatch(url) else "")
        port = parts.port if parts.port is not None else 443
    except ValueError:
        raise _unfetched("the certificate's URL cannot be read") from None
    if parts.scheme != "https":
        raise _unfetched("the certificate's URL is not https")
    host = (parts.hostname or "").lower().removesuffix(".")
    is_whole = "." in host or config.private_addresses
    if not is_whole or not _NAME.fullmatch(host) or _ADDRESS.fullmatch(host.rpartition(".")[2]):
        raise _unfetched("the certificate's URL has no host name")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise _unfetched("the certificate's URL has more than a host and a path")
    if port not in config.ports:
        raise _unfetched(f"the certificate's URL has port {port}")
    if not any(_matches(pattern.lower(), host) for pattern in config.hosts):
        raise _unfetched("certificates of this host are not fetched")
    return Place(host, port, parts.path or "/")


def pick_addresses(addresses: Iterable[str], *, private: bool) -> tuple[str, ...]:
    """The first addresses that may be asked; IdentityFault (436) where there is none."""
    distinct = dict.fromkeys(addresses)
    fit = [text for text in distinct if private or is_public(ipaddress.ip_address(text.partition("%")[0]))]
    if not fit:
        raise _unfetched("the certificate's host has no public address")
    return tuple(fit[:_TRIES])


def is_public(ip: _Ip) -> bool:
    """Whether an address belongs to the internet at large, and not to a network of ours by a back door."""
    if isinstance(ip, ipaddress.IPv6Address) and (inner := _inside(ip)) is not None:
        return is_public(inner)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _inside(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a translator would make of it."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def _matches(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return pattern in ("*", host)


def _unfetched(message: str) -> IdentityFault:
    return IdentityFault(Fault.UNFETCHED, message)
