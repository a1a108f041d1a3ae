"""The AudioSocket section of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from voicegw.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AudioSocketListener:
    """One TCP port. The protocol knows no password: who may connect is a matter of addresses."""

    port: int
    """9019 is what the examples of Asterisk use; 0 takes a free one, for tests."""
    called: str
    """The number that the dialplan sees as called, where nothing was announced for the connection."""
    ip: str = "127.0.0.1"
    """Address of the socket."""
    allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Addresses and networks that may connect."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        try:
            ip_address(self.ip)
        except ValueError:
            raise ConfigError(
                f"ip is no IP address: {self.ip!r}", fix="write it as digits, not as a name"
            ) from None
        if not 0 <= self.port <= 0xFFFF:
            raise ConfigError(f"port is {self.port}", fix="0 to 65535")
        if not self.called:
            raise ConfigError("called is empty", fix="name the number by which the dialplan finds the agent")
        for entry in self.allow:
            try:
                ip_network(entry, strict=False)
            except ValueError as error:
                fix = "write 10.0.0.7 or 10.0.0.0/24"
                raise ConfigError(f"allow has {entry!r}: {error}", fix=fix) from None

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """``allow``, read."""
        return tuple(ip_network(entry, strict=False) for entry in self.allow)


@dataclass(frozen=True, slots=True)
class AudioSocketConfig:
    """Calls that an Asterisk brings by TCP in place of SIP."""

    listeners: tuple[AudioSocketListener, ...] = ()
    """Where we listen; nowhere unless told."""
    max_connections: int = 100
    """At once, over all listeners; each takes a file descriptor and a port on loopback."""
    id_s: float = 2.0
    """In which a connection must say its UUID."""
    announced_s: float = 60.0
    """How long after its announcement a connection may come."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for name in ("max_connections", "id_s", "announced_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix="more than 0")
