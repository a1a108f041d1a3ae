"""What was said in this call, as both sides heard it: the agent's words only as far as they were played."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Speaker(Enum):
    """Whose words."""

    CALLER = "caller"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Said:
    """One entry. ``interrupted``: the agent was cut off after ``text``."""

    speaker: Speaker
    text: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """An immutable list of what was said; adding returns a new one."""

    entries: tuple[Said, ...] = ()

    def add(self, speaker: Speaker, text: str, *, interrupted: bool = False) -> History:
        """With one more entry; empty text adds nothing."""
        if not text:
            return self
        return History((*self.entries, Said(speaker, text, interrupted)))

    def last(self, speaker: Speaker) -> Said | None:
        """The newest entry of ``speaker``."""
        return next((said for said in reversed(self.entries) if said.speaker is speaker), None)
