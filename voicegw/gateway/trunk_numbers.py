"""The forms of a telephone number on both sides of a trunk. Pure.

Inside, a number whose country is known is E.164 with a plus; anything else (extensions, names) stays as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from voicegw.gateway.trunk_sections import NumberSettings
from voicegw.sip.dialling import plain

_DIGITS = re.compile(r"[0-9]+")
_SHORTEST_BARE = 8
"""Fewer digits without a prefix are an extension, whatever they begin with."""


def matches(pattern: str, number: str) -> int:
    """How much of ``number`` a pattern names: -1 for another number; the whole and one more for an exact match."""
    if pattern.endswith("*"):
        begin = pattern[:-1]
        return len(begin) if number.startswith(begin) else -1
    return len(number) + 1 if number == pattern else -1


def longest_match(patterns: Iterable[str], number: str) -> int:
    """The best of :func:`matches` over all patterns; -1 for none."""
    return max((matches(pattern, number) for pattern in patterns), default=-1)


def to_inside(form: NumberSettings, number: str) -> str:
    """A number as the other side writes it, as we do."""
    bare = plain(number)
    if not form.country_code or not _DIGITS.fullmatch(bare):
        return bare
    if form.international_prefix and bare.startswith(form.international_prefix):
        return f"+{bare[len(form.international_prefix) :]}"
    if form.send == "digits" and len(bare) >= _SHORTEST_BARE and bare.startswith(form.country_code):
        return f"+{bare}"
    if form.national_prefix and bare.startswith(form.national_prefix):
        return f"+{form.country_code}{bare[len(form.national_prefix) :]}"
    return bare


def to_trunk(form: NumberSettings, number: str) -> str:
    """A number of ours as the other side wants to have it dialled."""
    inside = to_inside(form, number)
    if not _DIGITS.fullmatch(inside.lstrip("+")):
        return number
    return form.prefix + (_international(form, inside[1:]) if inside.startswith("+") else inside)


def shown_to_trunk(form: NumberSettings, number: str) -> str:
    """A number of ours as the other side wants to see callers: the same form, without what is dialled before."""
    dialled = to_trunk(form, number)
    return dialled[len(form.prefix) :] if form.prefix and dialled.startswith(form.prefix) else dialled


def _international(form: NumberSettings, digits: str) -> str:
    """``digits`` begin with a country code."""
    match form.send:
        case "digits":
            return digits
        case "international":
            return form.international_prefix + digits
        case "national" if form.country_code and digits.startswith(form.country_code):
            return form.national_prefix + digits[len(form.country_code) :]
        case "national":
            return form.international_prefix + digits
        case _:
            return f"+{digits}"
