"""How names and house words are pronounced: one YAML file per installation, and one per agent where it needs it.

::

    words:
      Nguyen: win
      SQL: {say: sequel, case: exact}
      Worcester: {say: wooster, phonemes: {espeak: "w'Ust@", piper: wˈʊstɚ}}
      Gif-sur-Yvette: {say: jif sur ivette, languages: [fr]}

A word is found whole ("SQL" not in "SQLite"), the longest first, an agent's before the installation's, and what has
been put in its place is not looked at again: the order of the file never matters. The words are taken out before
the text is made speakable, so that "SQL" is not spelled and phonemes are not cleaned away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from voicegw.agents.speakable.languages import LANGUAGES, Languages
from voicegw.agents.speakable.speech import FIRST_HELD, LAST_HELD, speakable
from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import StrictModel, did_you_mean, load_yaml, read_text
from voicegw.dialplan.yaml_lines import ConfigProblems, Document

PHONEME_MARKS: Mapping[str, tuple[str, str]] = {"espeak": ("[[", "]]"), "piper": ("[[ ", " ]]")}
"""How an engine is told that phonemes follow in the text. Engines that are not here take a respelling only."""
MAX_WORDS = 10_000
"""In one file."""

_MOST = LAST_HELD - FIRST_HELD + 1
_PART = re.compile(r"\w+|\s+|[^\w\s]")
_HELD = re.compile(f"[{chr(FIRST_HELD)}-{chr(LAST_HELD)}]")


class LexiconEntry(StrictModel):
    """How one word is said."""

    say: str = ""
    """A respelling that any engine reads well."""
    phonemes: dict[str, str] = Field(default_factory=dict)
    """By engine, in its own notation; goes before ``say``."""
    case: Literal["any", "exact"] = "any"
    """``exact`` for what is another word in small letters ("US")."""
    languages: tuple[str, ...] = ()
    """Only in these, as bare languages ("fr") or with a country; empty for all."""

    @field_validator("phonemes")
    @classmethod
    def _known_engines(cls, phonemes: dict[str, str]) -> dict[str, str]:
        for engine in phonemes:
            if engine not in PHONEME_MARKS:
                raise ValueError(f"'{engine}' takes no phonemes\nfix: {did_you_mean(engine, PHONEME_MARKS)}")
        return phonemes


def _short_form(value: object) -> object:
    """``Nguyen: win`` is short for ``Nguyen: {say: win}``."""
    return value if isinstance(value, dict) else {"say": value}


class LexiconFile(StrictModel):
    """The whole file."""

    words: dict[str, Annotated[LexiconEntry, BeforeValidator(_short_form)]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """One word in one lexicon."""

    word: str
    entry: LexiconEntry

    def said(self, engine: str) -> str:
        """What stands in the text for ``engine``."""
        if phonemes := self.entry.phonemes.get(engine):
            opening, closing = PHONEME_MARKS[engine]
            return f"{opening}{phonemes}{closing}"
        return self.entry.say or self.word

    def serves(self, language: str) -> bool:
        """Whether it holds in ``language``."""
        tag = language.lower()
        wanted = [item.lower() for item in self.entry.languages]
        return not wanted or tag in wanted or tag.split("-")[0] in wanted


class Lexicon:
    """Pronunciations of one language, ready to be applied to texts. The first of two for a word counts."""

    def __init__(self, pronunciations: Iterable[Pronunciation], language: str = "en-US") -> None:
        self.language = language
        self._words = tuple(item for item in pronunciations if item.serves(language))[:_MOST]
        self._by_first: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for index, item in enumerate(self._words):
            parts = _parts(item.word)
            self._by_first.setdefault(parts[0].casefold(), []).append((parts, index))
        for candidates in self._by_first.values():
            candidates.sort(key=lambda candidate: -len(candidate[0]))

    def said(self, text: str, engine: str, languages: Languages = LANGUAGES) -> str:
        """``text`` made speakable, with every word of the lexicon as ``engine`` shall say it. Never raises."""
        spoken = speakable(self._hold(_HELD.sub("", text)), self.language, languages)
        return _HELD.sub(lambda match: self._words[ord(match[0]) - FIRST_HELD].said(engine), spoken)

    def _hold(self, text: str) -> str:
        """The text with each word of the lexicon replaced by the private character of its index."""
        parts = _parts(text)
        held: list[str] = []
        at = 0
        while at < len(parts):
            index, length = self._find(parts, at)
            held.append(parts[at] if index is None else chr(FIRST_HELD + index))
            at += length
        return "".join(held)

    def _find(self, parts: tuple[str, ...], at: int) -> tuple[int | None, int]:
        """The word that begins at ``parts[at]``, and how many parts it takes; (None, 1) if there is none."""
        for candidate, index in self._by_first.get(parts[at].casefold(), ()):
            here = tuple(" " if part.isspace() else part for part in parts[at : at + len(candidate)])
            exact = self._words[index].entry.case == "exact"
            if here == candidate or (not exact and _folded(here) == _folded(candidate)):
                return index, len(candidate)
        return None, 1


class Lexicons:
    """Pronunciations as an installation or an agent has them, for whatever language is being spoken."""

    def __init__(self, pronunciations: Iterable[Pronunciation] = ()) -> None:
        self._pronunciations = tuple(pronunciations)
        self._by_language: dict[str, Lexicon] = {}

    def of(self, language: str) -> Lexicon:
        """The lexicon of a BCP 47 tag."""
        known = self._by_language.get(language)
        if known is None:
            known = self._by_language[language] = Lexicon(self._pronunciations, language)
        return known


NO_WORDS = Lexicons()
"""Texts are made speakable, and no word is pronounced in a way of its own."""


def parse_lexicon(text: str, file: str = "lexicon.yaml") -> tuple[Pronunciation, ...]:
    """The words of a file; raises :class:`ConfigError` or :class:`ConfigProblems` with lines."""
    content, document = load_yaml(LexiconFile, text, file)
    if problems := _problems(content, document):
        raise ConfigProblems(problems)
    return tuple(Pronunciation(" ".join(word.split()), entry) for word, entry in content.words.items())


def load_lexicon(path: Path) -> tuple[Pronunciation, ...]:
    """Read one file; see :func:`parse_lexicon`."""
    return parse_lexicon(read_text(path), str(path))


def _problems(content: LexiconFile, document: Document) -> list[ConfigError]:
    problems: list[ConfigError] = []
    if len(content.words) > MAX_WORDS:
        problems.append(document.error(("words",), f"more than {MAX_WORDS} words", "split it by agent"))
    first: dict[tuple[str, str], str] = {}
    for word, entry in content.words.items():
        path = ("words", word)
        if not word.strip() or not (word.strip()[0].isalnum() and word.strip()[-1].isalnum()):
            problems.append(document.error(path, f"'{word}' must begin and end with a letter or a digit"))
        if not entry.say.strip() and not entry.phonemes:
            problems.append(document.error(path, f"'{word}' says nothing", "add 'say:' or 'phonemes:'"))
        if twin := _twin(first, word, entry):
            message = f"'{word}' is the same word as '{twin}' in line {document.line(('words', twin))}"
            problems.append(document.error(path, message, "remove one, or give both 'case: exact'"))
    return problems


def _twin(first: dict[tuple[str, str], str], word: str, entry: LexiconEntry) -> str | None:
    """An earlier word that nothing but the case tells from this one, in the same languages."""
    folded = " ".join(word.casefold().split())
    for language in entry.languages or ("",):
        key = (language.lower(), " ".join(word.split()) if entry.case == "exact" else folded)
        if key in first:
            return first[key]
        first[key] = word
    return None


def _parts(text: str) -> tuple[str, ...]:
    """Words, signs and white space, nothing lost."""
    return tuple(_PART.findall(text))


def _folded(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in parts)
