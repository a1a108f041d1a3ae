"""Numbers as they are written, and how they are said: whole, decimal, grouped, or digit by digit."""

from __future__ import annotations

import re
from functools import lru_cache

from voicegw.agents.speakable.language import LIMIT, Gender, Language

LONGEST_COUNTED = 6
"""Digits without grouping marks that are still a quantity; longer rows are dictated."""
DICTATED_GROUP = 3
LONGEST_SPELLED_GROUP = 4


@lru_cache(maxsize=32)
def number_pattern(language: Language) -> str:
    """A regular expression, without groups, for any number in the notation of ``language``."""
    marks = re.escape(language.group_marks)
    decimal = re.escape(language.decimal_mark)
    grouped = rf"[0-9]{{1,3}}(?:[{marks}][0-9]{{3}})+(?![0-9])(?:{decimal}[0-9]+)?"
    plain = r"[0-9]+(?:\.[0-9]+)*" if language.decimal_mark == "." else r"[0-9]+(?:,[0-9]+|(?:\.[0-9]+)*)"
    return f"(?:{grouped}|{plain})"


def whole_and_part(language: Language, text: str) -> tuple[str, str]:
    """The digits before and after the decimal mark. A mark that cannot group digits is a decimal mark."""
    marks = language.group_marks
    if re.fullmatch(rf"[0-9]{{1,3}}(?:[{re.escape(marks)}][0-9]{{3}})+", text):
        return re.sub(r"[^0-9]", "", text), ""
    if language.decimal_mark in text:
        whole, _, part = text.rpartition(language.decimal_mark)
        return re.sub(r"[^0-9]", "", whole), part
    whole, _, part = text.partition(".")
    return whole, part


def spoken_number(language: Language, text: str, gender: Gender = Gender.COUNTING) -> str:
    """Any match of :func:`number_pattern` in words."""
    if text.count(".") > 1 and "," not in text and not _is_grouped(language, text):  # a version, an IP address
        return f" {language.addresses.dot} ".join(_short(language, part) for part in text.split("."))
    whole, part = whole_and_part(language, text)
    if part:
        return f"{_short(language, whole)} {language.joints.point} {_decimals(language, part)}"
    if len(whole) > 1 and whole[0] == "0":
        return dictated(language, whole)
    if len(whole) > LONGEST_COUNTED and whole == text and not whole.endswith("000"):
        return dictated(language, whole)
    return _short(language, whole, gender)


def dictated(language: Language, digits: str) -> str:
    """Digit by digit, with a comma wherever a speaker would breathe: ``one two three, four five six``."""
    return ", ".join(
        " ".join(language.digits[int(digit)] for digit in group) for group in _groups(digits, LONGEST_SPELLED_GROUP)
    )


def spelled_digits(language: Language, digits: str) -> str:
    """Digit by digit without a pause."""
    return " ".join(language.digits[int(digit)] for digit in digits)


def _groups(digits: str, longest: int) -> list[str]:
    """Threes, and a last group of two to four."""
    groups: list[str] = []
    while len(digits) > longest:
        groups.append(digits[:DICTATED_GROUP])
        digits = digits[DICTATED_GROUP:]
    return [*groups, digits]


def _short(language: Language, digits: str, gender: Gender = Gender.COUNTING) -> str:
    if len(digits) >= len(str(LIMIT)):
        return dictated(language, digits)
    return language.cardinal(int(digits), gender)


def _decimals(language: Language, part: str) -> str:
    if language.decimals_as_number and len(part) <= 2 and part[0] != "0":
        return language.cardinal(int(part), Gender.COUNTING)
    return spelled_digits(language, part)


def _is_grouped(language: Language, text: str) -> bool:
    return "." in language.group_marks and bool(re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{3})+", text))
