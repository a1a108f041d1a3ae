"""Amounts of money."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from voicegw.agents.speakable.figures import number_pattern, spoken_number, whole_and_part
from voicegw.agents.speakable.language import LIMIT, Currency, Gender, Language, Noun, Rule

SIGNS: Mapping[str, str] = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}


def money_in_words(language: Language, amount: Decimal, currency: Currency) -> str:
    """``3.5`` → ``three dollars and fifty cents``. ``amount`` is finite, below :data:`LIMIT`, with two decimals."""
    whole, part = divmod(int(abs(amount) * 100), 100)
    words = _counted(language, whole, currency.unit)
    if part and currency.part is not None:
        small = _counted(language, part, currency.part)
        if whole and not language.joints.money_part:
            small = language.cardinal(part, Gender.COUNTING)
        words = f"{words}{language.joints.money_and}{small}" if whole else small
    return f"{language.joints.minus} {words}" if amount < 0 else words


def parsed_amount(text: str) -> Decimal | None:
    """The amount to the hundredth; None for what is no amount or too large to say."""
    try:
        value = Decimal(text).quantize(Decimal("0.01"))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < LIMIT else None


@lru_cache(maxsize=32)
def money_rules(language: Language) -> tuple[Rule, ...]:
    """Signs and codes before or after an amount, with "million" between where it is written."""
    number = number_pattern(language)
    codes = "|".join(language.currencies)
    signs = "[" + "".join(SIGNS) + "]"
    scale = "|".join(re.escape(word) for word in language.scales) or "(?!)"
    amount = rf"(?P<minus>[-−])?(?P<number>{number})(?: ?(?P<scale>{scale})(?!\w))?"
    mark_before = rf"(?P<outer>(?<![\w.,])[-−])?(?:(?P<sign>{signs})|\b(?P<code>{codes})) ?"
    mark_after = rf" ?(?:(?P<sign>{signs})|(?P<code>{codes})\b)"

    def say(match: re.Match[str]) -> str:
        minus = bool(match["minus"] or match.groupdict().get("outer"))
        code = SIGNS.get(match["sign"] or "") or match["code"] or ""
        return _amount(language, match["number"], language.scales.get(match["scale"], ""), code, minus=minus)

    return (
        (re.compile(rf"{mark_before}{amount}(?![0-9])"), say),
        (re.compile(rf"(?<![\w.,]){amount}{mark_after}"), say),
        (re.compile(rf"({signs})"), lambda m: f" {language.currencies[SIGNS[m[1]]].unit.many} "),
    )


def _amount(language: Language, number: str, scale: str, code: str, *, minus: bool) -> str:
    currency = language.currencies[code]
    whole, part = whole_and_part(language, number)
    sign = "-" if minus else ""
    value = parsed_amount(f"{sign}{whole}.{part or 0}") if len(part) <= 2 else None
    if value is None or scale:
        spoken = f"{language.joints.minus} {spoken_number(language, number)}" if minus else _said(language, number)
        link = language.joints.of_money(currency.unit.many)
        joined = f"{spoken} {scale}{link}" if scale else f"{spoken} "
        return f" {joined}{currency.unit.many} "
    return f" {money_in_words(language, value, currency)} "


def _said(language: Language, number: str) -> str:
    return spoken_number(language, number, Gender.MASCULINE)


def _counted(language: Language, value: int, noun: Noun) -> str:
    return f"{language.cardinal(value, noun.gender)} {noun.after(value)}"
