"""Words as recognisers write them, made alike, and the number words of English.

Recognisers differ: PocketSphinx gives plain lower-case words (``four two oh``, ``ten a.m.``), others give
punctuation, capitals and numerals (``Tuesday, 3:30 pm``). All parsers work on the tokens made here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

UNITS = {
    word: value
    for value, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
}
TEENS = {
    word: value
    for value, word in enumerate(
        (
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ),
        10,
    )
}
TENS = {
    word: value * 10
    for value, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)
}
UNIT_WORDS = tuple(UNITS)
TEEN_WORDS = tuple(TEENS)
TENS_WORDS = tuple(TENS)

_ORDINAL_UNITS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
)
ORDINALS = {word: value for value, word in enumerate(_ORDINAL_UNITS, 1)} | {"twentieth": 20, "thirtieth": 30}

HOMOPHONES = {
    "o": "zero",
    "oh": "zero",
    "owe": "zero",
    "nought": "zero",
    "nil": "zero",
    "won": "one",
    "wan": "one",
    "to": "two",
    "too": "two",
    "tu": "two",
    "tree": "three",
    "free": "three",
    "for": "four",
    "fore": "four",
    "fo": "four",
    "fife": "five",
    "fi": "five",
    "sicks": "six",
    "sex": "six",
    "sics": "six",
    "seventh": "seven",
    "ate": "eight",
    "aid": "eight",
    "ait": "eight",
    "nein": "nine",
    "niner": "nine",
    "nigh": "nine",
    "mine": "nine",
}
"""Words that recognisers put where a digit was said. They count as digits only between or beside digits."""

FILLERS = frozenset(
    [
        *["um", "uh", "er", "erm", "ah", "hmm", "mm", "well", "so", "please", "like"],
        *["just", "okay", "ok", "then", "now", "the"],
    ]
)
"""Words that carry nothing in an answer."""

_JOINED = re.compile(r"(\d)(st|nd|rd|th|am|pm|a\.m\.|p\.m\.)\b")
_WORD = re.compile(r"\d+(?:[.:,/-]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
_MERIDIEM = re.compile(r"\b([ap])\.? ?m\b\.?")


def tokens(text: str) -> list[str]:
    """Lower-case words and numerals: ``"It's at 3:30 P.M."`` gives ``it's at 3:30 pm``."""
    lowered = text.lower().replace("’", "'")
    lowered = _JOINED.sub(r"\1 \2", lowered)
    lowered = _MERIDIEM.sub(r"\1m", lowered)
    return _WORD.findall(lowered)


def without_fillers(words: Sequence[str]) -> list[str]:
    """The words less ums and pleases."""
    return [word for word in words if word not in FILLERS]


def below_hundred(value: int) -> str:
    """``42`` as ``forty two``: 0 to 99 in words."""
    if value < 10:
        return UNIT_WORDS[value]
    if value < 20:
        return TEEN_WORDS[value - 10]
    tens, unit = divmod(value, 10)
    return TENS_WORDS[tens - 2] + (f" {UNIT_WORDS[unit]}" if unit else "")


def ordinal(value: int) -> str:
    """``21`` as ``twenty first``: 1 to 99 in words."""
    if value < 20:
        return _ORDINAL_UNITS[value - 1]
    tens, unit = divmod(value, 10)
    if not unit:
        return TENS_WORDS[tens - 2][:-1] + "ieth"
    return f"{TENS_WORDS[tens - 2]} {_ORDINAL_UNITS[unit - 1]}"


def cardinal(value: int) -> str:
    """Any whole number in words, as it is read out: ``two hundred and five``."""
    if value < 0:
        return "minus " + cardinal(-value)
    if value < 100:
        return below_hundred(value)
    for size, name in ((10**12, "trillion"), (10**9, "billion")):
        if value >= size:
            return _with_rest(value, size, name)
    for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if value >= size:
            return _with_rest(value, size, name)
    raise AssertionError("unreachable")


def _with_rest(value: int, size: int, name: str) -> str:
    head, rest = divmod(value, size)
    words = f"{cardinal(head)} {name}"
    if not rest:
        return words
    return f"{words} {'and ' if rest < 100 else ''}{cardinal(rest)}"


def numeral(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """The number below 100 that begins at ``words[at]``, and how many words it takes; None if there is none.

    ``twenty seven`` → (27, 2), ``nine`` → (9, 1), ``42`` → (42, 1).
    """
    if at >= len(words):
        return None
    word = words[at]
    if word.isascii() and word.isdigit() and len(word) <= 2:
        return int(word), 1
    if word in UNITS:
        return UNITS[word], 1
    if word in TEENS:
        return TEENS[word], 1
    if word in TENS:
        unit = UNITS.get(words[at + 1], 0) if at + 1 < len(words) else 0
        return TENS[word] + unit, 2 if unit else 1
    return None


def ordinal_numeral(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """The ordinal that begins at ``words[at]`` (``twenty first``, ``3 rd``), and how many words it takes."""
    if at >= len(words):
        return None
    word = words[at]
    following = words[at + 1] if at + 1 < len(words) else ""
    if word in ORDINALS:
        return ORDINALS[word], 1
    if word in ("twenty", "thirty") and ORDINALS.get(following, 99) < 10:
        return TENS[word] + ORDINALS[following], 2
    if word.isascii() and word.isdigit() and len(word) <= 2 and following in ("st", "nd", "rd", "th"):
        return int(word), 2
    return None
