"""English. Numbers without hyphens and with "and", as they are read out over the telephone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from voicegw.agents.entities import words
from voicegw.agents.speakable.language import Addresses, Currency, Gender, Joints, Language, Noun, Rule

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_MONTH = "(" + "|".join(MONTHS) + "|" + "|".join(rf"{name[:3]}\b\.?" for name in MONTHS) + r"|Sept\b\.?)"
_MONTH_NUMBERS = {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)}
_DAY = r"(0?[1-9]|[12][0-9]|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(1[1-9][0-9]{2}|20[0-9]{2})(?![0-9]|[.,:][0-9])"


def cardinal(value: int, _gender: Gender = Gender.COUNTING) -> str:
    """``205`` → ``two hundred and five``."""
    return words.cardinal(value)


def ordinal(value: int) -> str:
    """``21`` → ``twenty first``."""
    if value == 0:
        return "zeroth"
    head, rest = divmod(value, 100)
    if not head:
        return words.ordinal(value)
    return f"{cardinal(head * 100)} and {words.ordinal(rest)}" if rest else f"{cardinal(value)}th"


def year(value: int) -> str:
    """``1984`` → ``nineteen eighty four``; ``2005`` → ``two thousand and five``."""
    century, rest = divmod(value, 100)
    if not 1100 <= value < 10_000 or value % 1000 < 10:
        return cardinal(value)
    if not rest:
        return f"{words.below_hundred(century)} hundred"
    return f"{words.below_hundred(century)} {'oh ' if rest < 10 else ''}{words.below_hundred(rest)}"


def clock(hour: int, minute: int) -> str:
    """``9:05`` → ``nine oh five``, ``15:00`` → ``fifteen hundred hours``."""
    spoken = words.below_hundred(hour)
    if minute == 0:
        return f"{spoken} o'clock" if 1 <= hour <= 12 else f"{spoken} hundred hours"
    return f"{spoken} {'oh ' if minute < 10 else ''}{words.below_hundred(minute)}"


def date(day: int, month: int, in_year: int | None, _before: str = "") -> str:
    """``March fifth, twenty twenty six``."""
    spoken = f"{MONTHS[month - 1]} {ordinal(day)}"
    return spoken if in_year is None else f"{spoken}, {year(in_year)}"


def _day_month(match: re.Match[str]) -> str:
    month = MONTHS[_MONTH_NUMBERS[match[3][:3].lower()] - 1]
    in_year = f", {year(int(match[4]))}" if match[4] else ""
    return f"{match[1] or 'the '}{ordinal(int(match[2]))} of {month}{in_year}"


def _half_day(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2] or 0)
    return f"{clock(hour, minute) if minute else words.below_hundred(hour)} {match[3].lower()}.m."


def _feet(match: re.Match[str]) -> str:
    return f"{cardinal(int(match[1]))} foot {cardinal(int(match[2]))}"


def _saint_or_street(match: re.Match[str]) -> str:
    """ "Main St." against "at St. Mary's": a street has a name before it."""
    before = match[1] or ""
    return f"{before}{'Street' if before[:1].isupper() else 'Saint'}"


_RULES: tuple[Rule, ...] = (
    (
        re.compile(rf"\b{_MONTH} {_DAY}(?:,? {_YEAR})?(?![0-9:]|[.,][0-9])"),
        lambda m: date(int(m[2]), _MONTH_NUMBERS[m[1][:3].lower()], int(m[3]) if m[3] else None),
    ),
    (re.compile(rf"\b([Tt]he )?(?<![0-9.,:]){_DAY}(?: of)? {_MONTH}(?:,? {_YEAR})?"), _day_month),
    (
        re.compile(rf"\b([Ii]n|[Ss]ince|[Yy]ear|[Uu]ntil|spring|summer|autumn|fall|winter|{_MONTH[1:-1]}) {_YEAR}"),
        lambda m: f"{m[1]} {year(int(m[2]))}",
    ),
    (
        re.compile(r"(?<![0-9.,:])(1[0-2]|0?[1-9])(?:[:.]([0-5][0-9]))? ?([AaPp])\.? ?[Mm]\b\.?"),
        _half_day,
    ),
    (
        re.compile(r"(?<![0-9.,])([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,9})(?:st|nd|rd|th)\b"),
        lambda m: _ordinal_of(m[1]),
    ),
    (re.compile(r"(?<![\w.,])([0-9])['′]([0-9]{1,2})[\"″]"), _feet),
    (re.compile(r"(\b[\w']+ )?\bSt\.(?= [A-Z])"), _saint_or_street),
    (re.compile(r"\b[Nn]os?\. ?(?=[0-9])"), lambda _: "number "),
)


def _ordinal_of(figures: str) -> str:
    return ordinal(int(figures.replace(",", "")))


CURRENCIES: Mapping[str, Currency] = {
    "USD": Currency(Noun("dollar", "dollars"), Noun("cent", "cents")),
    "EUR": Currency(Noun("euro", "euros"), Noun("cent", "cents")),
    "GBP": Currency(Noun("pound", "pounds"), Noun("penny", "pence")),
    "CHF": Currency(Noun("Swiss franc", "Swiss francs"), Noun("centime", "centimes")),
    "JPY": Currency(Noun("yen", "yen"), None),
}
# No "W": in an address it is West.
_UNITS = {
    "km/h": Noun("kilometer per hour", "kilometers per hour"),
    "mph": Noun("mile per hour", "miles per hour"),
    "km": Noun("kilometer", "kilometers"),
    "cm": Noun("centimeter", "centimeters"),
    "mm": Noun("millimeter", "millimeters"),
    "m²": Noun("square meter", "square meters"),
    "m³": Noun("cubic meter", "cubic meters"),
    "km²": Noun("square kilometer", "square kilometers"),
    "sq ft": Noun("square foot", "square feet"),
    "m": Noun("meter", "meters"),
    "kg": Noun("kilogram", "kilograms"),
    "mg": Noun("milligram", "milligrams"),
    "g": Noun("gram", "grams"),
    "ml": Noun("milliliter", "milliliters"),
    "l": Noun("liter", "liters"),
    "L": Noun("liter", "liters"),
    "ft": Noun("foot", "feet"),
    "mi": Noun("mile", "miles"),
    "yd": Noun("yard", "yards"),
    "lb": Noun("pound", "pounds"),
    "lbs": Noun("pound", "pounds"),
    "oz": Noun("ounce", "ounces"),
    "h": Noun("hour", "hours"),
    "hr": Noun("hour", "hours"),
    "hrs": Noun("hour", "hours"),
    "min": Noun("minute", "minutes"),
    "mins": Noun("minute", "minutes"),
    "s": Noun("second", "seconds"),
    "sec": Noun("second", "seconds"),
    "ms": Noun("millisecond", "milliseconds"),
    "kB": Noun("kilobyte", "kilobytes"),
    "KB": Noun("kilobyte", "kilobytes"),
    "MB": Noun("megabyte", "megabytes"),
    "GB": Noun("gigabyte", "gigabytes"),
    "TB": Noun("terabyte", "terabytes"),
    "Mbps": Noun("megabit per second", "megabits per second"),
    "Mbit/s": Noun("megabit per second", "megabits per second"),
    "kW": Noun("kilowatt", "kilowatts"),
    "kWh": Noun("kilowatt hour", "kilowatt hours"),
    "V": Noun("volt", "volts"),
    "Hz": Noun("hertz", "hertz"),
    "kHz": Noun("kilohertz", "kilohertz"),
    "°C": Noun("degree Celsius", "degrees Celsius"),
    "°F": Noun("degree Fahrenheit", "degrees Fahrenheit"),
    "°": Noun("degree", "degrees"),
}
_ABBREVIATIONS = {
    "mr.": "Mister",
    "mrs.": "Missis",
    "ms.": "Miz",
    "dr.": "Doctor",
    "prof.": "Professor",
    "st.": "Street",
    "ave.": "Avenue",
    "blvd.": "Boulevard",
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "and so on",
    "vs.": "versus",
    "approx.": "approximately",
    "appt.": "appointment",
    "apt.": "apartment",
    "dept.": "department",
    "ext.": "extension",
    "tel.": "telephone",
    "mon.": "Monday",
    "tue.": "Tuesday",
    "tues.": "Tuesday",
    "wed.": "Wednesday",
    "thu.": "Thursday",
    "thurs.": "Thursday",
    "fri.": "Friday",
}
_SYMBOLS = {
    "&": "and",
    "@": "at",
    "%": "percent",
    "‰": "per mille",
    "+": "plus",
    "=": "equals",
    "×": "times",
    "÷": "divided by",
    "±": "plus or minus",
    "§": "section",
    "°": "degrees",
    "№": "number",
    "©": "copyright",
}

ENGLISH_US = Language(
    tags=("en", "en-us"),
    cardinal=cardinal,
    year=year,
    clock=clock,
    date=date,
    digits=words.UNIT_WORDS,
    decimal_mark=".",
    group_marks=",",
    joints=Joints(point="point", minus="minus", plus="plus", to="to", ratio="to", slash="slash", money_and=" and "),
    addresses=Addresses(at="at", dot="dot", dash="dash", underscore="underscore", slash="slash", plus="plus"),
    currencies=CURRENCIES,
    units=_UNITS,
    symbols=_SYMBOLS,
    abbreviations=_ABBREVIATIONS,
    fractions={
        "1/2": "one half",
        "1/3": "one third",
        "2/3": "two thirds",
        "1/4": "one quarter",
        "3/4": "three quarters",
        "24/7": "twenty four seven",
        "½": "and a half",
        "¼": "and a quarter",
        "¾": "and three quarters",
    },
    scales={
        **{word: word for word in ("thousand", "million", "billion", "trillion")},
        "k": "thousand",
        "K": "thousand",
        "M": "million",
        "bn": "billion",
        "B": "billion",
    },
    rules=_RULES,
    acronyms={"OK": "okay", "ASAP": "as soon as possible"},
    read_capitals=frozenset(
        [
            *(
                "PIN",
                "SIM",
                "GIF",
                "VAT",
                "NOT",
                "ALL",
                "AND",
                "THE",
                "YOU",
                "ANY",
                "NOW",
                "NO",
                "YES",
                "ONE",
                "TWO",
            ),
            *(
                "SIX",
                "TEN",
                "ARE",
                "CAN",
                "DO",
                "IF",
                "OR",
                "IS",
                "TO",
                "ON",
                "IN",
                "UP",
                "OFF",
                "OUT",
                "MUST",
                "NEW",
            ),
            *(
                "BUT",
                "FOR",
                "HOW",
                "WHO",
                "WHY",
                "NEVER",
                "I",
                "A",
                "MY",
                "WE",
                "BE",
                "BY",
                "AT",
                "OF",
                "AS",
                "MAY",
            ),
        ]
    ),
    month_first=True,
)
ENGLISH = replace(
    ENGLISH_US, tags=("en-gb", "en-ie", "en-au", "en-nz", "en-za", "en-in", "en-sg"), month_first=False
)
"""Where the day stands first in 3/5/2026."""
