"""The settings of the copy of the signalling for Homer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from voicegw.base.errors import ConfigError
from voicegw.gateway.tls_config import TlsClientSettings

_TRANSPORTS: Final = ("udp", "tcp", "tls")


@dataclass(frozen=True, slots=True)
class HepConfig:
    """Every SIP message in and out, and reports on the audio of calls, to a collector of HEP version 3."""

    to: str = ""
    """HOST:PORT of the collector (Homer listens at 9060); empty for none."""
    transport: str = "udp"
    """udp, tcp or tls. By tcp and tls up to 1 MB waits for a collector that is slow or away, which is connected to
    again after 1 s, then 2, 4 and so on up to 60."""
    tls: TlsClientSettings = field(default_factory=TlsClientSettings)
    """Whose certificate is believed, and which one is shown; only for ``transport: tls``."""
    server_name: str = ""
    """The name that the collector's certificate must have; empty for the host in ``to``."""
    capture_id: int = 2001
    """The number of this node there."""
    password: str = ""
    """What the collector wants to see; but for ``transport: tls`` it travels in clear, as all of HEP does."""
    secrets: bool = False
    """Send credentials and keys of SRTP as they are. Else they are blotted out, character by character: whoever has
    them could call in our name, or listen."""
    reports: bool = True
    """Also every report of RTCP of SIP calls, in and out."""
    summaries: bool = True
    """And, with ``reports``, a summary of the audio of each leg: not every collector knows this kind of packet."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        host, _, port = self.to.rpartition(":")
        if self.to and not (host and port.isdecimal() and 0 < int(port) < 65536):
            raise ConfigError(f"to is {self.to!r}", fix="write HOST:PORT, such as homer:9060")
        if self.transport not in _TRANSPORTS:
            raise ConfigError(f"transport is {self.transport!r}", fix=f"one of: {', '.join(_TRANSPORTS)}")
        if self.transport != "tls" and (self.server_name or self.tls != TlsClientSettings()):
            raise ConfigError("there are settings of TLS, but HEP goes without", fix="set transport: tls")
        if not 0 <= self.capture_id < 2**32:
            raise ConfigError(f"capture_id is {self.capture_id}", fix="a number from 0 to 4294967295")
        try:
            host.strip("[]").encode("idna")
        except UnicodeError:
            raise ConfigError(f"to is {self.to!r}", fix="the host is no name that can be looked up") from None

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of ``to``."""
        host, _, port = self.to.rpartition(":")
        return host.strip("[]"), int(port)

    def placed(self, base: Path) -> HepConfig:
        """With the files found from ``base``."""
        return replace(self, tls=self.tls.placed(base))
