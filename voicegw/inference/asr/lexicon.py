"""The dictionary of one domain: only the words of its language model, which keeps the search small."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from voicegw.inference.asr.letter_sounds import LetterSounds


class Lexicon:
    """Pronunciations from the big dictionary, and by letter-to-sound rules for the rest."""

    def __init__(self, dictionary: Path) -> None:
        self._path = dictionary
        self._sounds = LetterSounds()

    def lookup(self, words: Iterable[str]) -> dict[str, list[str]]:
        """All pronunciations of each word. A word nobody can pronounce has none and cannot be recognised.

        The file is read from start to end each time: 50 ms now and then, against 40 MB held for ever.
        """
        wanted = set(words)
        found: dict[str, list[str]] = defaultdict(list)
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                entry, _, phones = line.strip().partition(" ")
                word = entry.partition("(")[0]
                if word in wanted:
                    found[word].append(phones)
        for word in sorted(wanted - found.keys()):
            if phones := self._sounds.pronounce(word):
                found[word].append(phones)
        return dict(found)

    def compile(self, words: Iterable[str]) -> str:
        """The text of a dictionary file: ``word phones``, further pronunciations as ``word(2) phones``."""
        lines: list[str] = []
        for word, pronunciations in sorted(self.lookup(words).items()):
            for number, phones in enumerate(pronunciations, 1):
                lines.append(f"{word if number == 1 else f'{word}({number})'} {phones}\n")
        return "".join(lines)
