"""Which words of an unfinished utterance will stay (local agreement).

The recogniser reads the whole utterance again as it grows and changes its mind about the last words. What two
readings in a row begin with is taken as said: it is reported, and never taken back before the final text.
"""

from __future__ import annotations

import unicodedata


class StablePrefix:
    """The words on which readings agree. Grows only."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._last: list[str] = []

    @property
    def text(self) -> str:
        """What is taken as said."""
        return " ".join(self._words)

    def add(self, reading: str) -> None:
        """Take one more reading.

        A reading that contradicts what is already taken as said adds nothing: the final text will tell.
        """
        words = reading.split()
        agreed = words[: _common(self._last, words)]
        self._last = words
        if len(agreed) <= len(self._words) or _common(self._words, agreed) < len(self._words):
            return
        self._words += agreed[len(self._words) :]


def _common(a: list[str], b: list[str]) -> int:
    """How many words both begin with, whatever their case and punctuation, which change with every reading."""
    for count, (left, right) in enumerate(zip(a, b, strict=False)):
        if _bare(left) != _bare(right):
            return count
    return min(len(a), len(b))


def _bare(word: str) -> str:
    return "".join(c for c in word.casefold() if not unicodedata.category(c).startswith("P")) or word
