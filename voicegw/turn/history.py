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

    def add(self, speaker: Speaker, text: str, *, interrupted: bool = False, place: int | None = None) -> History:
        """With one more entry, at the end or before the entry that is now at ``place``; empty text adds nothing."""
        if not text:
            return self
        before, after = self.entries[:place], self.entries[len(self.entries[:place]) :]
        return History((*before, Said(speaker, text, interrupted), *after))

    def last(self, speaker: Speaker) -> Said | None:
        """The newest entry of ``speaker``."""
        return next((said for said in reversed(self.entries) if said.speaker is speaker), None)
