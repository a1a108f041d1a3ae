"""How servers are found, and what happens to those that fail."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import ConfigError, RemoteProtocolError
from voicegw.sip.address import is_literal, unbracketed
from voicegw.sip.grammar import parse_host_port

DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class LocatingConfig:
    """Part of the SIP section."""

    dns_servers: tuple[str, ...] = ()
    """Addresses of name servers, each with ``:port`` where that is not 53; empty for the machine's own."""
    dns_timeout_s: float = 2.0
    """One question, over all servers. Finding a host takes up to three questions in a row."""
    dns_cache_entries: int = 4096
    """Answers kept, each for as long as the zone says and, while no server answers, for a day."""
    prefer_ipv6: bool = True
    """Which family comes first where a host has both and so have we (RFC 7984 leaves it to RFC 6724, which says
    IPv6)."""
    attempt_s: float = 4.0
    """How long a server may be silent before the next one is tried, where there is a next one; a TCP connection
    included. Less than the 32 s of timers B and F, which count for the last one."""
    max_attempts: int = 4
    """Servers that are tried for one request."""
    blacklist_s: float = 300.0
    """How long a server that failed is passed over. Then it has to answer OPTIONS before it is used again. A
    Retry-After of its own counts instead, up to an hour."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for server in self.dns_servers:
            parse_dns_server(server)
        for name, least, most in (
            ("dns_timeout_s", 0.1, 30.0),
            ("dns_cache_entries", 16, 1_000_000),
            ("attempt_s", 0.1, 32.0),
            ("max_attempts", 1, 32),
            ("blacklist_s", 1.0, 3600.0),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"{name} is {value}", fix=f"from {least:g} to {most:g}")


def parse_dns_server(text: str) -> tuple[str, int]:
    """Address and port of a name server; ConfigError where it is none."""
    whole = f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text
    try:
        host, port = parse_host_port(whole)
    except RemoteProtocolError:
        host, port = "", None
    if not is_literal(unbracketed(host)):
        raise ConfigError(f"no address of a name server: {text!r}", fix="write 192.0.2.53 or 192.0.2.53:5353")
    return unbracketed(host), port or DNS_PORT
