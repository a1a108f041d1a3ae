"""The one function that the rest of the product uses: a text as it should be read aloud.

The rules run in a fixed order, from what is most specific (an address contains a number, a date contains an
ordinal) to single signs. A second run over the result changes nothing; what a first run uncovers ("&amp;lt;") is
handled by running until it is so, at most :data:`PASSES` times.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from voicegw.agents.speakable.addresses import address_rules, phone_rules
from voicegw.agents.speakable.english import ENGLISH_US
from voicegw.agents.speakable.language import Language, Rule
from voicegw.agents.speakable.languages import LANGUAGES, Languages
from voicegw.agents.speakable.markup import without_markup
from voicegw.agents.speakable.moments import clock_rule, date_rules
from voicegw.agents.speakable.money import money_in_words, money_rules, parsed_amount
from voicegw.agents.speakable.quantities import fraction_rules, quantity_rules, range_rules
from voicegw.agents.speakable.shortenings import abbreviation_rules, spelled_acronyms, symbol_rules

PASSES = 8
FIRST_HELD, LAST_HELD = 0xF0000, 0xFFFFD
"""Private characters that are left alone: each stands for a word whose pronunciation is given by a lexicon."""

_FIGURE = re.compile("[0-9½¼¾²³]")
_KEPT = frozenset("½¼¾²³")
_GROUP_SPACE = re.compile(r"(?<=[0-9])[\u00a0\u202f\u2009](?=[0-9]{3}(?![0-9]))")
_SAYABLE = re.compile(r"[A-Za-z0-9 .,;:!?'\"()-]*")
_TIDY_TEXT = re.compile(r"\w[\w'-]*(?:[,;:.!?…]? \w[\w'-]*)*[,;:.!?…]?")
"""Words with one space between them and at most one sign after each: nothing in :data:`_TIDY` applies."""
_TIMES = re.compile(r"(?<=[0-9]) \* (?=[0-9])")
_TIDY: tuple[Rule, ...] = (
    (re.compile(r"\(\s*\)|(?<![\w'\"])['\"]+(?=\s|$)"), lambda _: " "),
    (re.compile(r"\s+"), lambda _: " "),
    (re.compile(r" (?=[,.;:!?…)])"), lambda _: ""),
    (re.compile(r"\( "), lambda _: "("),
    (re.compile(r"([,;:])(?=[,;:.!?])"), lambda _: ""),
    (re.compile(r"^[ ,;:.!?…)•‣–—-]+"), lambda _: ""),
)


def speakable(text: str, language: str = "en-US", languages: Languages = LANGUAGES) -> str:
    """``"$3.50 at 15:30"`` → ``three dollars and fifty cents at fifteen thirty``. Never raises.

    Of a text in a language that is not known only the markup is removed.
    """
    known = languages.find(language)
    if known is None:
        return " ".join(without_markup(text).split())
    return _spoken(known, text)


def spoken_money(amount: object, currency: str = "USD", language: str = "en-US") -> str:
    """``3.5`` → ``three dollars and fifty cents``; what is no amount comes back as text."""
    known = LANGUAGES.find(language) or ENGLISH_US
    value = parsed_amount(str(amount).replace(",", ""))
    if value is None:
        return str(amount)
    return money_in_words(known, Decimal(value), known.currencies[currency])


@lru_cache(maxsize=256)
def _spoken(language: Language, text: str) -> str:
    """Kept for a while: each engine that may have to speak a sentence is told it, and prompts come again."""
    for _ in range(PASSES):
        spoken = _once(language, text)
        if spoken == text:
            break
        text = spoken
    return text


def _once(language: Language, text: str) -> str:
    text = without_markup(_TIMES.sub(" × ", _plain_characters(language, text)))
    for pattern, replacement in _rules(language, figures=_FIGURE.search(text) is not None):
        text = pattern.sub(replacement, text)
    text = spelled_acronyms(language, text)
    if not _SAYABLE.fullmatch(text):
        text = "".join(char if _is_sayable(char) else " " for char in text)
    return _tidy(text)


def _tidy(text: str) -> str:
    """Without what the signs that were taken out leave behind; brackets in brackets go one by one."""
    if _TIDY_TEXT.fullmatch(text):
        return text
    while True:
        tidy = text
        for pattern, replacement in _TIDY:
            tidy = pattern.sub(replacement, tidy)
        if (tidy := tidy.strip()) == text:
            return text
        text = tidy


@lru_cache(maxsize=64)
def _rules(language: Language, *, figures: bool) -> tuple[Rule, ...]:
    """In the order in which they are applied; without ``figures`` only those that a text of words can need."""
    dates = (*fraction_rules(language), *date_rules(language), *phone_rules(language), *range_rules(language))
    return (
        *address_rules(language),
        *(dates if figures else ()),
        *language.rules,
        *abbreviation_rules(language),
        *((clock_rule(language),) if figures else ()),
        *money_rules(language),
        *symbol_rules(language)[:1],
        *(quantity_rules(language) if figures else ()),
        *symbol_rules(language)[1:],
    )


def _plain_characters(language: Language, text: str) -> str:
    """One way to write each thing: ASCII digits, full-width and circled characters as ordinary ones."""
    if text.isascii():
        return text
    text = _GROUP_SPACE.sub(language.group_marks[0], unicodedata.normalize("NFC", text))
    return "".join(char if char.isascii() else _plain(char) for char in text)


def _plain(char: str) -> str:
    category = unicodedata.category(char)
    if char in _KEPT or not (category[0] == "N" or "\uff01" <= char <= "\uff5e" or char in "´⁄\u2011"):
        return char
    if char in "´⁄\u2011":
        return {"´": "'", "⁄": "/"}.get(char, "-")
    plain = unicodedata.normalize("NFKC", char)
    if plain.isdecimal() or plain.isdigit():
        return "".join(str(unicodedata.digit(digit)) for digit in plain)
    return plain.replace("⁄", "/") if plain.isascii() or "⁄" in plain else char


def _is_sayable(char: str) -> bool:
    if char.isascii():
        return char.isalnum() or char in " .,;:!?'\"()-"
    if FIRST_HELD <= ord(char) <= LAST_HELD:
        return True
    return unicodedata.category(char)[0] in "LMPZ" and not char.isdigit()
