"""Which of several things did the caller mean? Decided by example phrases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voicegw.agents.similarity import content, phrase_similarity

THRESHOLD = 0.55
"""Below this nothing was understood. Half of the content words are not enough; two thirds with errors are."""
MARGIN = 0.06
"""The best must lead the second by this much, else the answer is ambiguous and is asked again."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A name and how well it fits, 0 to 1."""

    name: str
    score: float


class IntentMatcher:
    """Immutable set of names with example phrases."""

    __slots__ = ("_phrases",)

    def __init__(self, examples: Mapping[str, tuple[str, ...]]) -> None:
        self._phrases = tuple((name, content(text)) for name, texts in examples.items() for text in texts)

    def rank(self, text: str) -> list[Scored]:
        """All names by their best phrase, best first."""
        said = content(text)
        best: dict[str, float] = {}
        for name, phrase in self._phrases:
            best[name] = max(best.get(name, 0.0), phrase_similarity(said, phrase))
        return sorted((Scored(name, score) for name, score in best.items()), key=lambda s: -s.score)

    def match(self, text: str) -> Scored | None:
        """The one that was meant, or None if nothing or more than one fits."""
        ranked = self.rank(text)
        if not ranked or ranked[0].score < THRESHOLD:
            return None
        if len(ranked) > 1 and ranked[0].score - ranked[1].score < MARGIN:
            return None
        return ranked[0]
