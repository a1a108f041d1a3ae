"""Plain numbers, units, ranges, fractions and codes such as "AB12"."""

from __future__ import annotations

import re
from functools import lru_cache

from voicegw.agents.speakable.figures import number_pattern, spelled_digits, spoken_number
from voicegw.agents.speakable.language import Gender, Language, Rule

_RAISED = str.maketrans({"²": " 2", "³": " 3"})
_CODE = re.compile(
    r"(?<![\w])(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*[0-9])[A-Z0-9]+(?:-[A-Z0-9]+)*(?![\w]|[.,][0-9])", re.ASCII
)
_MINUS = r"(?:(?<![\w.,)%])[-−](?=[0-9]))?"
LONGEST_SPELLED = 3
"""Capitals in a code that are letters, not a word ("COVID-19")."""


@lru_cache(maxsize=32)
def range_rules(language: Language) -> tuple[Rule, ...]:
    """``9–17``, ``5-7``; what is a date or a telephone number has been said before."""
    to = f" {language.joints.to} "
    return (
        (re.compile(r"(?<=[0-9]) ?[–—] ?(?=[0-9$€£])"), lambda _: to),
        (re.compile(r"(?<=[0-9])(?: ?[apAP]\.?[mM]\.?)? ?-(?= ?[0-9$€£])"), lambda m: f"{m[0][:-1]}{to}"),
    )


@lru_cache(maxsize=32)
def quantity_rules(language: Language) -> tuple[Rule, ...]:
    """Units, then codes, then every figure that is left."""
    number = number_pattern(language)
    units = "|".join(re.escape(unit) for unit in sorted(language.units, key=len, reverse=True))
    minus = language.joints.minus

    def unit(match: re.Match[str]) -> str:
        noun = language.units[match[3]]
        spoken = spoken_number(language, match[2], noun.gender)
        sign = f"{minus} " if match[1] else ""
        return f" {sign}{spoken} {noun.one if match[2] == '1' else noun.many}"

    def plain(match: re.Match[str]) -> str:
        following = re.match(r" ([^\W0-9_]+)", match.string[match.end() :])
        gender = language.gender_before(following[1]) if following else Gender.COUNTING
        spoken = spoken_number(language, match[0].lstrip("-−"), gender)
        return _apart(match, f"{minus} {spoken}" if match[0][0] in "-−" else spoken)

    return (
        (re.compile(rf"(?<![\w.,])({_MINUS})({number}) ?({units})(?![\w/²³°])"), unit),
        (_CODE, lambda m: _code(language, m[0])),
        (re.compile("[²³]"), lambda m: m[0].translate(_RAISED)),
        (re.compile(r"(?<=[0-9]):(?=[0-9])"), lambda _: f" {language.joints.ratio} "),
        (re.compile(r"(?<=[0-9])/(?=[0-9])"), lambda _: f" {language.joints.slash} "),
        (re.compile(r"(?<=[0-9])([,;])(?=[0-9]{1,2}(?![0-9]))"), lambda m: _list_comma(language, m)),
        (re.compile(rf"{_MINUS}{number}"), plain),
    )


@lru_cache(maxsize=32)
def fraction_rules(language: Language) -> tuple[Rule, ...]:
    """Said before dates, which ``1/2`` could be too."""
    written = "|".join(key for key in language.fractions if len(key) > 1)
    whole = {"½": "1/2", "¼": "1/4", "¾": "3/4"}
    return (
        (re.compile(r"(?<=[0-9]) ?([½¼¾])"), lambda m: f" {language.fractions[m[1]]}"),
        (re.compile(r"[½¼¾]"), lambda m: f" {language.fractions[whole[m[0]]]}"),
        (re.compile(rf"(?<![\w.,:/-])(?:{written})(?![\w:/-]|[.,][0-9])"), lambda m: language.fractions[m[0]]),
    )


def _list_comma(language: Language, match: re.Match[str]) -> str:
    """In ``1,2,3`` the comma parts numbers where it is no decimal mark."""
    return match[1] if language.decimal_mark == match[1] else f"{match[1]} "


def _code(language: Language, code: str) -> str:
    """``AB12`` letter by letter; two figures at most are a number, more are digits."""
    runs = re.findall(r"[0-9]+|[A-Z]+", code)
    figures = [run for run in runs if run.isdigit()]
    spoken: list[str] = []
    for run in runs:
        if not run.isdigit():
            spoken.append(" ".join(run) if len(run) <= LONGEST_SPELLED else run)
        elif len(figures) == 1 and len(run) <= 2 and run[0] != "0":
            spoken.append(language.cardinal(int(run), Gender.COUNTING))
        else:
            spoken.append(spelled_digits(language, run))
    return " ".join(spoken)


def _apart(match: re.Match[str], spoken: str) -> str:
    """With a space where the figure touches a letter."""
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1]
    return f"{' ' if before.isalnum() else ''}{spoken}{' ' if after.isalnum() else ''}"
