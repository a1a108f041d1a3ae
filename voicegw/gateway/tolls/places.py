"""Which country a number is in, and of which kind it is.

By the numbering plans of the package ``phonenumbers``, which is imported when the first number is looked at and
reads the plan of a country when it first sees one of its numbers. Calling codes alone would not do: +1 876 is
Jamaica, and premium rates have other digits in every country.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

KINDS: Final = (
    "premium_rate",
    "shared_cost",
    "satellite",
    "international_network",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "voip",
    "mobile",
    "fixed_line",
    "fixed_line_or_mobile",
    "toll_free",
    "unknown",
)
_OF_NO_COUNTRY: Final = {
    870: "satellite",
    881: "satellite",
    878: "international_network",
    882: "international_network",
    883: "international_network",
    888: "international_network",
    979: "premium_rate",
    800: "toll_free",
    808: "shared_cost",
}
"""Country codes that are no country's (ITU-T E.164, list of assigned codes)."""
_WORLD: Final = "001"
_REGION: Final = re.compile(r"[A-Z]{2}")
_DIALLED: Final = re.compile(r"\+?[0-9]{3,}")
_PREFIX: Final = re.compile(r"\+?(?:00|011)([1-9][0-9]{6,})|\+0*([1-9][0-9]*)")
"""How most of the world, and North America, dials other countries; no country code begins with 0."""
_NOISE: Final = re.compile(r"[^0-9A-Za-z+]")
_NO_DIGIT: Final = re.compile(r"[^0-9]")


class Place(NamedTuple):
    """``country`` as in ISO 3166-1, empty for none; ``kind`` is one of ``KINDS``, empty where nobody knows."""

    country: str
    kind: str


NOWHERE: Final = Place("", "")


def is_region(text: str) -> bool:
    """Whether this can be a country of ISO 3166-1."""
    return _REGION.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def with_country_code(number: str, home: str = "") -> str:
    """A number as networks read it, in E.164: with an international prefix, as in ``home``, or with what they pass
    over between its digits and behind them. Any other, and what is none, as it is."""
    dialled = _NOISE.sub("", number.partition(";")[0])
    if dialled.startswith("+"):
        dialled = f"+{_NO_DIGIT.sub('', dialled)}"
    if (found := _PREFIX.fullmatch(dialled)) is not None:
        return f"+{found[1] or found[2]}"
    return _from_home(dialled, home) or number


def _from_home(number: str, home: str) -> str:
    """In E.164; empty for what is in no plan of that country."""
    if not home or not _DIALLED.fullmatch(number):
        return ""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, home)
    except phonenumbers.NumberParseException:
        return ""
    phonenumbers.truncate_too_long_number(parsed)
    if not phonenumbers.is_valid_number(parsed):
        return ""  # an extension, or a service of the trunk's own network
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


@lru_cache(maxsize=4096)
def place_of(number: str, home: str = "") -> Place:
    """Where a number leads. One without a country code is in ``home``; names and short numbers are nowhere."""
    if not _DIALLED.fullmatch(number) or not (number.startswith("+") or home):
        return NOWHERE
    import phonenumbers  # not before a call goes out by a trunk: it takes 40 ms

    try:
        parsed = phonenumbers.parse(number, None if number.startswith("+") else home)
    except phonenumbers.NumberParseException:
        return Place("", "unknown") if number.startswith("+") else NOWHERE
    code = parsed.country_code or 0
    if code in _OF_NO_COUNTRY:
        return Place("", _OF_NO_COUNTRY[code])
    phonenumbers.truncate_too_long_number(parsed)  # networks ignore digits behind a whole number, and so do rules
    region = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(code)
    kind = _kind_of(phonenumbers.number_type(parsed))
    if kind == "unknown" and not number.startswith("+"):
        return NOWHERE  # an extension, or a service of the trunk's own network
    return Place("" if region in (None, _WORLD, "ZZ") else region, kind)


def _kind_of(number_type: int) -> str:
    import phonenumbers

    return phonenumbers.PhoneNumberType.to_string(number_type).lower()
