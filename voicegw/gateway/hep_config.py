"""The settings of the copy of the signalling for Homer."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class HepConfig:
    """Every SIP message in and out, to a collector of HEP version 3."""

    to: str = ""
    """HOST:PORT of the collector (Homer listens at 9060); empty for none."""
    transport: str = "udp"
    """udp, or tcp: then up to 1 MB waits for a collector that is away, which is connected to again every 5 s."""
    capture_id: int = 2001
    """The number of this node there."""
    password: str = ""
    """What the collector wants to see; it travels in clear, as all of HEP does."""
    secrets: bool = False
    """Send credentials and keys of SRTP as they are. Else they are blotted out, character by character: whoever has
    them could call in our name, or listen."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        host, _, port = self.to.rpartition(":")
        if self.to and not (host and port.isdecimal() and 0 < int(port) < 65536):
            raise ConfigError(f"to is {self.to!r}", fix="write HOST:PORT, such as homer:9060")
        if self.transport not in ("udp", "tcp"):
            raise ConfigError(f"transport is {self.transport!r}", fix="one of: udp, tcp")
        if not 0 <= self.capture_id < 2**32:
            raise ConfigError(f"capture_id is {self.capture_id}", fix="a number from 0 to 4294967295")

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of ``to``."""
        host, _, port = self.to.rpartition(":")
        return host.strip("[]"), int(port)
