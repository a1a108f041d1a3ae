"""How this node speaks SIP."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicegw.base.errors import ConfigError
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.sdp.codecs import Codec
from voicegw.sdp.negotiate import DTMF, PCMA, PCMU
from voicegw.sip.address import is_literal
from voicegw.sip.session_timer import SessionTimerPolicy

CODECS = {codec.name: codec for codec in (PCMU, PCMA)}
"""What can be spoken, by name."""


@dataclass(frozen=True, slots=True)
class SipConfig:
    """The SIP section of the configuration."""

    listen_ip: str = "0.0.0.0"
    """Address of the UDP socket. 0.0.0.0 is every IPv4 interface; each peer is told the one that it reaches."""
    listen_port: int = 5060
    """UDP port of the socket; 0 takes a free one, for tests."""
    advertised_ip: str = ""
    """Our address as peers see it, where NAT stands between; empty to use the socket's own."""
    user_agent: str = "voicegw"
    """What Server and User-Agent headers say; empty for none."""
    t1_ms: int = 500
    """RFC 3261 timer T1, from which retransmissions and timeouts follow. Smaller only in closed networks."""
    max_calls: int = 1000
    """SIP calls at once, answered or not; one more gets 503 before anything else is told of it."""
    max_transactions: int = 40_000
    """Requests remembered at once, each for about 32 s to recognise its retransmissions; about 2 kB each."""
    overload_ms: int = 250
    """When messages wait longer than this before they are read, new calls get 503 until they do not."""
    retry_after_s: int = 10
    """What a 503 asks the peer to wait."""
    session_expires_s: int = 1800
    """A call is refreshed, by either side, at least this often, or ended (RFC 4028). 0: only where a peer asks."""
    min_se_s: int = 90
    """The shortest such interval that we agree to. Smaller only in closed networks."""
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    """Audio codecs, best first in our own offers; in answers the caller's order counts."""
    guard: GuardConfig = field(default_factory=GuardConfig)
    """What unknown addresses may send."""
    locating: LocatingConfig = field(default_factory=LocatingConfig)
    """How servers are found, and what happens to those that fail."""

    def __post_init__(self) -> None:
        for name in ("listen_ip", "advertised_ip"):
            value = getattr(self, name)
            if (value or name == "listen_ip") and not is_literal(value):
                raise ConfigError(
                    f"{name} is no IP address: {value!r}", fix=f"write {name} as digits, not as a name"
                )
        if not 0 <= self.listen_port <= 65535:
            raise ConfigError(f"listen_port is no port: {self.listen_port}", fix="take 5060")
        if not 10 <= self.t1_ms <= 4000:
            raise ConfigError(f"t1_ms is out of range: {self.t1_ms}", fix="take 500, or from 10 to 4000")
        if not 20 <= self.overload_ms <= 10_000:
            raise ConfigError(f"overload_ms is out of range: {self.overload_ms}", fix="take 250")
        SessionTimerPolicy(self.session_expires_s, self.min_se_s)
        unknown = [name for name in self.codecs if name not in CODECS]
        if unknown or not self.codecs:
            known = ", ".join(CODECS)
            raise ConfigError(f"unknown codecs: {', '.join(unknown) or 'none given'}", fix=f"choose from {known}")

    @property
    def preferences(self) -> tuple[Codec, ...]:
        """The codecs for offers and answers; keypad events come along always."""
        return (*(CODECS[name] for name in self.codecs), DTMF)
