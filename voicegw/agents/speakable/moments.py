"""Dates and times in figures. What is written with the name of a month is each language's own matter."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from voicegw.agents.speakable.language import Gender, Language, Rule

_NOT_INSIDE = r"(?<![0-9.,:/-])(?<![0-9] )"
_END = r"(?![0-9]|[/:.,-][0-9])"
_ISO = re.compile(rf"(\b[^\W0-9_]+ )?{_NOT_INSIDE}([12][0-9]{{3}})-([01][0-9])-([0-3][0-9])(?![0-9-])")
_ISO_TIME = re.compile(r"(?<=[0-9])T(?=[0-9]{2}:[0-9]{2})")
_FIGURES = re.compile(
    rf"(\b[^\W0-9_]+ )?{_NOT_INSIDE}([0-3]?[0-9])([./-])([0-3]?[0-9])\3((?:[12][0-9])?[0-9]{{2}})?{_END}"
)
_SLASHED = re.compile(rf"(\b[^\W0-9_]+ )?{_NOT_INSIDE}([0-3]?[0-9])(/)([0-3]?[0-9])()(?!/|[0-9]){_END}")
_CLOCK = re.compile(r"(?<![0-9:.,])([01]?[0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?(?!:?[0-9])")
_CENTURY_TURNS = 70


@lru_cache(maxsize=32)
def date_rules(language: Language) -> tuple[Rule, ...]:
    """ISO 8601, and day and month in the order of the country."""

    def iso(match: re.Match[str]) -> str:
        return _date(language, match, int(match[4]), int(match[3]), int(match[2]))

    def figures(match: re.Match[str]) -> str:
        day, month = int(match[2]), int(match[4])
        if match[3] == "/" and (language.month_first or month > 12) and day <= 12:
            day, month = month, day
        if not _is_plausible(language, match[3], match[5] or ""):
            return match[0]
        return _date(language, match, day, month, _year(match[5]))

    return ((_ISO_TIME, lambda _: " "), (_ISO, iso), (_FIGURES, figures), (_SLASHED, figures))


def clock_rule(language: Language) -> Rule:
    """``15:30``, with seconds where they are written."""

    def clock(match: re.Match[str]) -> str:
        seconds = f" {language.cardinal(int(match[3]), Gender.COUNTING)}" if match[3] else ""
        return f"{language.clock(int(match[1]), int(match[2]))}{seconds}"

    return (_CLOCK, clock)


def _is_plausible(language: Language, mark: str, year: str) -> bool:
    """``10.2.24`` is a version to an English ear, and ``5-3-`` is nothing at all."""
    if mark == "." and language.decimal_mark == ".":
        return len(year) == 4
    return bool(year) if mark == "-" else True


def _date(language: Language, match: re.Match[str], day: int, month: int, year: int | None) -> str:
    """The date in words; what is no date stays as it is. A leap year stands in for a year that is not given."""
    try:
        date(year or 2000, month, day)
    except ValueError:
        return match[0]
    before = match[1] or ""
    return f"{before}{language.date(day, month, year, before.strip())}"


def _year(figures: str | None) -> int | None:
    """Two figures mean the nearest century, as people write years of birth and of appointments."""
    if not figures:
        return None
    value = int(figures)
    if len(figures) == 4:
        return value
    return value + (2000 if value < _CENTURY_TURNS else 1900)
