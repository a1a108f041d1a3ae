"""How much is kept of the signalling of a call."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LadderConfig:
    """Of each leg, until the call ends and it becomes a fact."""

    messages: int = 120
    """Messages of a leg that are kept: the first and the last ones, where there were more. 0: none."""
    full_text: bool = False
    """Keep the messages as they were, too. Credentials, keys of SRTP and what tells of the conversation are taken
    out, and so are bodies that are no session description."""
    text_bytes: int = 65_536
    """Of full texts, for each leg; what comes later is kept without."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if self.messages and not 10 <= self.messages <= 2000:
            raise ConfigError(f"messages is out of range: {self.messages}", fix="take 120, or 0 for no ladder")
        if not 0 <= self.text_bytes <= 10_000_000:
            raise ConfigError(f"text_bytes is out of range: {self.text_bytes}", fix="take 65536")
