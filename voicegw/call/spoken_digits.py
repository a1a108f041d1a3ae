"""Numbers in a transcript, digit by digit, written as figures or dictated as words in four languages.

People dictate long numbers in many ways ("four two four two", "forty-two forty-two", "double four"), and
recognisers write them in as many. What is found here is only ever masked, so that being wrong about a short number
costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeAlias

_Phrase: TypeAlias = tuple[str, ...]

_ENGLISH = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_GERMAN = "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn"
_GERMAN_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
_SPANISH = "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis"
_SPANISH_TENS = "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa"
_FRENCH = "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
_FRENCH_TENS = "vingt trente quarante cinquante soixante"
_TEENS = (
    ("seventeen eighteen nineteen", 17),
    ("siebzehn achtzehn neunzehn", 17),
    ("diecisiete dieciocho diecinueve", 17),
    ("veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve", 21),
)
_OTHER: Final[dict[_Phrase, str]] = {
    ("oh",): "0",
    ("o",): "0",
    ("nought",): "0",
    ("niner",): "9",
    ("zwo",): "2",
    ("ein",): "1",
    ("une",): "1",
    ("una",): "1",
    ("hundred",): "00",
    ("thousand",): "000",
}
_TIMES: Final = {"double": 2, "doble": 2, "doppel": 2, "triple": 3}
_HOMOPHONES: Final = {"to": "2", "too": "2", "for": "4", "won": "1", "ate": "8"}
"""Digits as a recogniser may write them; believed only between two others."""
_PAUSES: Final = ("and", "then", "uh", "um", "er", "und", "dann", "äh", "y", "et", "euh", "puis")
_FILLERS: Final = frozenset([*_PAUSES, "dash", "hyphen", "minus", "space"])
_LONGEST: Final = 4

_TOKEN: Final = re.compile(r"%20|\d|[^\W\d_]+|\S")
_SEPARATORS: Final = frozenset(["-", "–", "—", ".", ",", "_", "%20", "+", "·", "'", "’"])


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit and where it stands; digits of one word share its place."""

    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """Digits with nothing between them but what people put into numbers."""

    items: tuple[Digit, ...]
    international: bool
    """A plus stands before it: a telephone number (E.164)."""

    @property
    def digits(self) -> str:
        """All of it."""
        return "".join(item.value for item in self.items)


def find_runs(text: str) -> list[Run]:
    """All numbers of a text, from left to right."""
    runs: list[Run] = []
    items: list[Digit] = []
    international = plus = False
    for digit in _walk(text):
        if isinstance(digit, Digit):
            if not items:
                international = plus
            items.append(digit)
            continue
        plus = digit in ("+", "plus")
        if not items or digit in _SEPARATORS or digit in _FILLERS:
            continue
        runs.append(Run(tuple(items), international))
        items = []
    return [*runs, Run(tuple(items), international)] if items else runs


def begins(text: str, run: Run) -> bool:
    """Whether a run stands at the start of the text, where a number may go on that was begun before."""
    return _only_fillers(text[: run.items[0].start])


def ends(text: str, run: Run) -> bool:
    """Whether a run stands at the end of the text, so that it may go on in the next one."""
    return _only_fillers(text[run.items[-1].end :])


def _only_fillers(text: str) -> bool:
    tokens = (match.group().lower() for match in _TOKEN.finditer(text))
    return all(token in _FILLERS or not token[0].isalnum() for token in tokens)


def _walk(text: str) -> Iterator[Digit | str]:
    """The text as digits and as what stands between them."""
    found = list(_TOKEN.finditer(text))
    words = [match.group().lower() for match in found]
    at = 0
    was_digit = False
    while at < len(found):
        digits, count = _number(words, at)
        if not digits and was_digit and words[at] in _HOMOPHONES and _number(words, at + 1)[0]:
            digits, count = _HOMOPHONES[words[at]], 1
        start, end = found[at].start(), found[at + count - 1].end()
        yield from (Digit(digit, start, end) for digit in digits)
        if not digits:
            yield words[at]
        was_digit = bool(digits)
        at += count


def _number(words: list[str], at: int) -> tuple[str, int]:
    """The digits that begin at a word, and of how many words they are made; the longest reading counts."""
    if at < len(words) and words[at].isdecimal():
        return str(int(words[at])), 1
    for count in range(min(_LONGEST + 1, len(words) - at), 0, -1):
        phrase = tuple(word for word in words[at : at + count] if word != "-")
        if digits := _PHRASES.get(phrase):
            return digits, count
    return "", 1


def _numbered(words: str, first: int, step: int = 1) -> dict[_Phrase, str]:
    return {(word,): str(first + step * place) for place, word in enumerate(words.split())}


def _tens_and_units(tens: str, units: str, joint: tuple[str, ...] = ()) -> Iterator[tuple[_Phrase, str]]:
    for ten, word in enumerate(tens.split(), 2):
        for unit, other in enumerate(units.split()[1:10], 1):
            yield (word, *joint, other), f"{ten}{unit}"


def _german_compounds() -> Iterator[tuple[_Phrase, str]]:
    for ten, word in enumerate(_GERMAN_TENS.split(), 2):
        for unit, other in enumerate(_GERMAN.split()[1:10], 1):
            yield ((other if unit > 1 else "ein") + "und" + word,), f"{ten}{unit}"


def _french_compounds() -> Iterator[tuple[_Phrase, str]]:
    low = _FRENCH.split()
    upto19: dict[int, _Phrase] = {number: (word,) for number, word in enumerate(low)}
    upto19 |= {number: ("dix", low[number - 10]) for number in (17, 18, 19)}
    for number in (17, 18, 19):
        yield upto19[number], str(number)
    for number in range(61, 80):
        yield ("soixante", *upto19[number - 60]), str(number)
    yield ("soixante", "et", "onze"), "71"
    for vingt in ("vingt", "vingts"):
        yield ("quatre", vingt), "80"
        for number in range(81, 100):
            yield ("quatre", vingt, *upto19[number - 80]), str(number)
    yield from (((word, "et", "un"), f"{ten}1") for ten, word in enumerate(_FRENCH_TENS.split(), 2))


def _multiples(units: dict[_Phrase, str]) -> Iterator[tuple[_Phrase, str]]:
    for word, times in _TIMES.items():
        for phrase, digit in units.items():
            yield (word, *phrase), digit * times


def _all_phrases() -> dict[_Phrase, str]:
    units: dict[_Phrase, str] = {}
    tens: dict[_Phrase, str] = {}
    for low, high in (
        (_ENGLISH, _ENGLISH_TENS),
        (_GERMAN, _GERMAN_TENS),
        (_SPANISH, _SPANISH_TENS),
        (_FRENCH, _FRENCH_TENS),
    ):
        units |= _numbered(low, 0)
        tens |= _numbered(high, 20, 10)
    for words, first in _TEENS:
        units |= _numbered(words, first)
    single = {phrase: digits for phrase, digits in (units | _OTHER).items() if len(digits) == 1}
    compounds = chain(
        _tens_and_units(_ENGLISH_TENS, _ENGLISH),
        _tens_and_units(_SPANISH_TENS, _SPANISH, ("y",)),
        _tens_and_units(_FRENCH_TENS, _FRENCH),
        _german_compounds(),
        _french_compounds(),
        _multiples(single),
    )
    return units | tens | _OTHER | dict(compounds)


_PHRASES: Final = _all_phrases()
