"""Text as it should be read aloud: money, clock times, ordinals and abbreviations in English words.

Engines read plain numbers well; this covers what they get wrong on the telephone. Other languages pass through.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from voicegw.agents.entities.words import below_hundred, cardinal, ordinal

CURRENCIES = {
    "USD": ("dollar", "dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
}
_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP"}
_ABBREVIATIONS = {
    "mr.": "Mister",
    "mrs.": "Missis",
    "ms.": "Miz",
    "dr.": "Doctor",
    "st.": "Street",
    "no.": "number",
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "and so on",
    "vs.": "versus",
    "approx.": "approximately",
    "appt.": "appointment",
    "dept.": "department",
    "&": "and",
    "@": "at",
    "%": "percent",
}
_ABBREVIATION = re.compile(
    r"(?<![\w.])(?:" + "|".join(re.escape(key) for key in _ABBREVIATIONS if key[0].isalpha()) + r")(?=\s)",
    re.IGNORECASE,
)
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"([$€£])(\d[\d,]{0,14}(?:\.\d\d)?)(?!\d)"), lambda m: spoken_money(m[2], _SIGNS[m[1]])),
    (re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b"), lambda m: _clock(int(m[1]), int(m[2]))),
    (re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b"), lambda m: ordinal(int(m[1])) if int(m[1]) else m[0]),
    (_ABBREVIATION, lambda m: _ABBREVIATIONS[m[0].lower()]),
    (re.compile(r"\s*([&@%])"), lambda m: f" {_ABBREVIATIONS[m[1]]}"),
    (re.compile(r"[*_`#<>|\\^~]+"), lambda _: " "),
    (re.compile(r"\s+"), lambda _: " "),
)


def speakable(text: str, language: str = "en-US") -> str:
    """``"$3.50 at 15:30"`` → ``three dollars and fifty cents at fifteen thirty``; not English: unchanged."""
    if not language.lower().startswith("en"):
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip()


def spoken_money(amount: object, currency: str = "USD") -> str:
    """``3.5`` → ``three dollars and fifty cents``; what is no amount comes back as text."""
    try:
        value = Decimal(str(amount).replace(",", "")).quantize(Decimal("0.01"))
    except InvalidOperation:
        return str(amount)
    if not value.is_finite() or abs(value) >= 10**15:
        return str(amount)
    one, many, cent, cents = CURRENCIES[currency]
    whole, part = divmod(int(abs(value) * 100), 100)
    words = f"{cardinal(whole)} {one if whole == 1 else many}"
    if part:
        small = f"{below_hundred(part)} {cent if part == 1 else cents}"
        words = f"{words} and {small}" if whole else small
    return f"minus {words}" if value < 0 else words


def _clock(hour: int, minute: int) -> str:
    if minute == 0:
        return f"{below_hundred(hour)} o'clock" if 1 <= hour <= 12 else f"{below_hundred(hour)} hundred hours"
    return f"{below_hundred(hour)} {'oh ' if minute < 10 else ''}{below_hundred(minute)}"
