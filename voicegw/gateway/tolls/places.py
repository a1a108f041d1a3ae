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
_PREFIX: Final = re.compile(r"(?:00|011)([1-9][0-9]{6,})")
"""How most of the world, and North America, dials other countries."""


class Place(NamedTuple):
    """``country`` as in ISO 3166-1, empty for none; ``kind`` is one of ``KINDS``, empty where nobody knows."""

    country: str
    kind: str


NOWHERE: Final = Place("", "")


def is_region(text: str) -> bool:
    """Whether this can be a country of ISO 3166-1."""
    return _REGION.fullmatch(text) is not None


def with_country_code(number: str) -> str:
    """A number that was dialled with an international prefix, in E.164; any other as it is."""
    found = _PREFIX.fullmatch(number)
    return f"+{found[1]}" if found is not None else number


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
