"""How much may be written down of the packets of calls, on demand."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CaptureConfig:
    """Limits of packet captures; who asks for one may ask for less. They lie with the recordings."""

    max_seconds: int = 600
    """Seconds that a capture lasts at most; it ends with its call in any case."""
    max_mb: int = 100
    """Its size at most, in MB of 1,000,000 bytes. A call by G.711 makes 1.4 MB a minute."""
    at_once: int = 4
    """Calls of this node that are captured at the same time; 0: none can be."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for name, most in (("max_seconds", 86_400), ("max_mb", 4000)):
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix=f"a number from 1 to {most}")
        if not 0 <= self.at_once <= 100:
            raise ConfigError(f"at_once is {self.at_once}", fix="0 for no captures, or up to 100")
