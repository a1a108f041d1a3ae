"""The languages that are known, found by BCP 47 tag."""

from __future__ import annotations

from collections.abc import Iterable

from voicegw.agents.speakable.english import ENGLISH, ENGLISH_US
from voicegw.agents.speakable.french import FRENCH
from voicegw.agents.speakable.german import GERMAN
from voicegw.agents.speakable.language import Language
from voicegw.agents.speakable.spanish import SPANISH


class Languages:
    """A set of languages; of two with the same tag the later one counts."""

    def __init__(self, languages: Iterable[Language]) -> None:
        self._all = tuple(languages)
        self._by_tag = {tag: language for language in self._all for tag in language.tags}

    def find(self, tag: str) -> Language | None:
        """The language of ``tag`` ("de-AT"): its own entry, else that of the bare language, else None."""
        parts = tag.lower().replace("_", "-").split("-")
        for length in range(len(parts), 0, -1):
            if found := self._by_tag.get("-".join(parts[:length])):
                return found
        return None

    def having(self, *more: Language) -> Languages:
        """These languages and ``more``."""
        return Languages((*self._all, *more))


LANGUAGES = Languages((ENGLISH_US, ENGLISH, GERMAN, SPANISH, FRENCH))
"""English (the United States and the rest), German, Spanish, French."""
