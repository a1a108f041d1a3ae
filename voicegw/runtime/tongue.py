"""What one call is spoken and heard in at this moment: recogniser and voice change together."""

from __future__ import annotations

from collections.abc import Collection

from voicegw.agents.agent import Agent
from voicegw.agents.languages import base, changed_language
from voicegw.ports.asr import AsrFinal

AUTO = "auto"


class Tongue:
    """Begins with the agent's own language. ``recognised`` are those of the recogniser, empty for any."""

    def __init__(self, agent: Agent, recognised: Collection[str]) -> None:
        self._languages = agent.languages
        self.language = agent.language
        self._before = agent.language
        known = {base(tag) for tag in recognised}
        told_apart = {base(tag) for tag in self._languages if not known or base(tag) in known}
        self._listens_for_others = len(told_apart) > 1

    def voice(self, language: str) -> str:
        """The synthesiser's name of the voice for a language; empty for the engine's own."""
        return self._languages.get(language, "")

    @property
    def recognised_as(self) -> str:
        """What the recogniser is told: any language where it may hear another one of the agent's."""
        return AUTO if self._listens_for_others else self.language

    def changed_by(self, final: AsrFinal) -> str:
        """The language to go on in after these words; empty for no change."""
        return changed_language(self._languages, self.language, final.language, final.text, final.confidence)

    def mark(self) -> None:
        """A reply begins."""
        self._before = self.language

    def undo(self) -> bool:
        """It was taken back; True if the language with it."""
        changed = self.language != self._before
        self.language = self._before
        return changed

    def switch(self, language: str) -> bool:
        """Go on in ``language``; False where the agent has none like it, or speaks it already."""
        if language not in self._languages or language == self.language:
            return False
        self.language = language
        return True
