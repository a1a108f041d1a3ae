"""What one language must tell so that figures, signs and short forms can be said in it.

A language is data and a few functions; everything that all languages share (what an amount, an address or a clock
time looks like on paper) is in the modules beside this one. To add a language, make a :class:`Language` and give
it to :class:`~voicegw.agents.speakable.languages.Languages`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

Rule: TypeAlias = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
"""A pattern and what is said instead of what it matches."""

LIMIT = 10**15
"""Whole numbers from here on are read digit by digit."""


class Gender(Enum):
    """Of the noun that a number stands before; COUNTING where there is none ("eins" against "ein Tisch")."""

    COUNTING = "counting"
    MASCULINE = "masculine"
    FEMININE = "feminine"
    NEUTER = "neuter"


@dataclass(frozen=True, slots=True)
class Noun:
    """A word that is counted."""

    one: str
    many: str
    gender: Gender = Gender.MASCULINE

    def after(self, value: int) -> str:
        """The form that stands after ``value``."""
        return self.one if value == 1 else self.many


@dataclass(frozen=True, slots=True)
class Currency:
    """``part`` is a hundredth, or None where there is none in use."""

    unit: Noun
    part: Noun | None


@dataclass(frozen=True, slots=True)
class Joints:
    """The small words between figures. Empty ``money_and`` and ``money_part``: "drei Euro fünfzig"."""

    point: str
    minus: str
    plus: str
    to: str
    ratio: str
    slash: str
    money_and: str
    money_part: bool = True
    of_money: Callable[[str], str] = lambda _: " "
    """Between "three million" and the currency that is its argument."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """How the signs of e-mail and web addresses are called."""

    at: str
    dot: str
    dash: str
    underscore: str
    slash: str
    plus: str


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """One language, or one country's use of it. Compared by identity: the rules made from it are cached."""

    tags: tuple[str, ...]
    """BCP 47 tags in lower case; a bare language stands for all its countries that have no entry."""
    cardinal: Callable[[int, Gender], str]
    """0 <= value < :data:`LIMIT`."""
    year: Callable[[int], str]
    clock: Callable[[int, int], str]
    """Hour 0–24 and minute."""
    date: Callable[[int, int, int | None, str], str]
    """Day, month, year and the word before, which decides the case in some languages."""
    digits: tuple[str, ...]
    decimal_mark: str
    group_marks: str
    joints: Joints
    addresses: Addresses
    currencies: Mapping[str, Currency]
    units: Mapping[str, Noun]
    """By symbol, as written after a number; case counts."""
    symbols: Mapping[str, str]
    """Signs that are said wherever they stand; any other sign is dropped."""
    abbreviations: Mapping[str, str]
    """In lower case, with their points."""
    fractions: Mapping[str, str]
    """``1/2`` and the like; a sign such as ``½`` as it is said after a whole number."""
    scales: Mapping[str, str] = field(default_factory=dict)
    """What may stand between an amount and its currency ("million", "M"), and how it is said."""
    rules: tuple[Rule, ...] = ()
    """Dates in words, ordinals and whatever else this language writes in its own way; applied first."""
    acronyms: Mapping[str, str] = field(default_factory=dict)
    """Capitals that are neither spelled nor read as they stand."""
    read_capitals: frozenset[str] = frozenset()
    """Capitals that are read as a word although they are short: PIN, and NOT where it is only stressed."""
    gender_before: Callable[[str], Gender] = lambda _: Gender.COUNTING
    """The gender of a number, guessed from the word that follows it."""
    month_first: bool = False
    phone_in_pairs: bool = False
    decimals_as_number: bool = False
    """ "trois virgule quatorze" instead of digit by digit."""
    local_phone: re.Pattern[str] | None = None
