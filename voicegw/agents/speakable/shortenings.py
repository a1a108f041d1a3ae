"""Abbreviations, acronyms and single signs."""

from __future__ import annotations

import re
from functools import lru_cache

from voicegw.agents.speakable.language import Language, Rule

_CAPITALS = re.compile(r"(?<![\w'’-])([^\W\d_a-zà-ÿ]{2,6})(?![\w])")
_VOWELS = frozenset("AEIOUYÄÖÜÁÉÍÓÚÀÈÊÔ")
LONGEST_SPELLED = 3


@lru_cache(maxsize=32)
def abbreviation_rules(language: Language) -> tuple[Rule, ...]:
    """Where the last point may end a sentence too, it is kept."""
    keys = sorted(language.abbreviations, key=len, reverse=True)
    pattern = re.compile(
        r"(?<![\w.])(" + "|".join(re.escape(key) for key in keys) + r")(?=[\s,;:.!?)]|$|(?<=/))", re.IGNORECASE
    )

    def say(match: re.Match[str]) -> str:
        words = language.abbreviations[match[0].lower()]
        ends = match[0].endswith(".") and not match.string[match.end() :].strip()
        return f"{words}{'.' if ends else ''}{' ' if match[0].endswith('/') else ''}"

    return ((pattern, say),)


def spelled_acronyms(language: Language, text: str) -> str:
    """``FBI`` → ``F B I``; a text all in capitals is shouted, not abbreviated."""
    if not any(char.islower() for char in text) and " " in text.strip():
        return text

    def say(match: re.Match[str]) -> str:
        word = match[1]
        if not word.isupper() or word in language.read_capitals:
            return word
        if word in language.acronyms:
            return language.acronyms[word]
        spell = len(word) <= LONGEST_SPELLED or not _VOWELS & set(word)
        return " ".join(word) if spell else word

    return _CAPITALS.sub(say, text)


@lru_cache(maxsize=32)
def symbol_rules(language: Language) -> tuple[Rule, ...]:
    """Signs with a name; ``#5`` is a number, ``#tag`` only a tag."""
    signs = "[" + re.escape("".join(language.symbols)) + "]"
    return (
        (re.compile(r"#(?=[0-9])"), lambda _: f" {language.symbols['№']} "),
        (re.compile(signs), lambda m: f" {language.symbols[m[0]]} "),
    )
