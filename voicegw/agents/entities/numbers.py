"""Quantities: how many, how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from voicegw.agents.entities.slot import Keypad, Parsed, Value
from voicegw.agents.entities.words import HOMOPHONES, UNITS, cardinal, numeral, tokens, without_fillers

_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_WORDS_FOR = {"dozen": 12, "couple": 2, "once": 1, "twice": 2, "none": 0, "nothing": 0, "single": 1}


@dataclass(frozen=True, slots=True)
class NumberSlot:
    """A number within bounds (inclusive); decimals only where ``whole`` is false."""

    minimum: Decimal | None = None
    maximum: Decimal | None = None
    whole: bool = True
    patient: bool = False

    @property
    def keypad(self) -> Keypad:
        digits = len(str(int(self.maximum))) if self.maximum is not None else 9
        return Keypad(digits, "key in the number" + (", then the hash key" if digits > 1 else ""))

    def parse(self, text: str, _now: datetime, /) -> Parsed | None:
        """See :class:`Slot`. The last number that fits counts ("two, no, three")."""
        words = without_fillers(tokens(text))
        found: list[tuple[Decimal, int]] = []
        position = 0
        while position < len(words):
            value, used = _number_at(words, position)
            if value is not None and (fitting := self._fit(value)) is not None:
                found.append((fitting, used))
            position += max(used, 1)
        if not found and len(words) == 1 and words[0] in HOMOPHONES:
            lone = self._fit(Decimal(UNITS[HOMOPHONES[words[0]]]))
            found = [] if lone is None else [(lone, 1)]
        if not found:
            return None
        return Parsed(_plain(found[-1][0]), certain=len(found) == 1)

    def fit(self, value: Decimal) -> Value | None:
        """``value`` as a slot holds it; None if it is out of bounds."""
        fitting = self._fit(value)
        return None if fitting is None else _plain(fitting)

    def _fit(self, value: Decimal) -> Decimal | None:
        low = self.minimum is not None and value < self.minimum
        high = self.maximum is not None and value > self.maximum
        broken = self.whole and value != int(value)
        return None if low or high or broken else value

    def parse_keys(self, keys: str, _now: datetime, /) -> Value | None:
        """See :class:`Slot`. The star key is the decimal point where decimals are allowed."""
        text = keys if self.whole else keys.replace("*", ".", 1)
        if not text.replace(".", "", 1).isdigit() or not text.isascii():
            return None
        return self.fit(Decimal(text))

    def spoken(self, value: Value) -> str:
        """In words."""
        return spoken_number(value)

    def phrases(self) -> tuple[str, ...]:
        """Small numbers and a spread up to the bound."""
        low = int(self.minimum) if self.minimum is not None else 0
        high = int(self.maximum) if self.maximum is not None else 1000
        step = max((high - low) // 40, 1)
        values = sorted({*range(low, min(low + 21, high + 1)), *range(low, high + 1, step), high})
        words = [cardinal(value) for value in values]
        leads = [f"{lead} {word}" for word in words[:10] for lead in ("it's", "about", "just")]
        return tuple(dict.fromkeys(words + leads))

    def is_complete(self, partial: str) -> bool:
        """A number that no word could make longer within the bound."""
        words = without_fillers(tokens(partial))
        if not words:
            return False
        value, used = _number_at(words, 0)
        if value is None or used != len(words) or self._fit(value) is None:
            return False
        return self.maximum is not None and value * 10 > self.maximum


def spoken_number(value: Value) -> str:
    """A number in words, with "point" and the decimals one by one; other values as text."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return str(value)
    whole, _, decimals = format(Decimal(value), "f").partition(".")
    if len(whole) > 18:
        return " ".join(whole)
    words = cardinal(int(whole))
    if whole.startswith("-") and int(whole) == 0:
        words = "minus " + words
    return words + (f" point {' '.join(cardinal(int(d)) for d in decimals)}" if decimals else "")


def _plain(value: Decimal) -> Value:
    return int(value) if value == int(value) else value


def _number_at(words: Sequence[str], at: int) -> tuple[Decimal | None, int]:
    """The number that begins at ``words[at]`` and how many words it takes."""
    sign = -1 if words[at] in ("minus", "negative") else 1
    start = at + (sign < 0)
    whole, used = _whole_at(words, start)
    position = start + used
    if position + 1 < len(words) and words[position] == "point":
        decimals, count = _decimals_at(words, position + 1)
        if count:
            return sign * (Decimal(whole or 0) + Decimal("0." + decimals)), position + 1 + count - at
    if whole is None:
        return None, 1
    return sign * whole, position - at


def _whole_at(words: Sequence[str], at: int) -> tuple[Decimal | None, int]:
    """Sum the groups: ``two hundred and five thousand and one``."""
    total, group, used, some = 0, 0, 0, False
    while at + used < len(words):
        word = words[at + used]
        if word[0].isdigit() and not some:
            return _written(word)
        if (small := numeral(words, at + used)) and not word[0].isdigit():
            if group % 100 or (group == 0 and some and total == 0):
                break
            group, used, some = group + small[0], used + small[1], True
        elif word in _SCALES and (some or _article(words, at, used)):
            group, total = _scaled(group or 1, total, _SCALES[word])
            used, some = used + 1, True
        elif not some and word in _WORDS_FOR:
            return Decimal(_WORDS_FOR[word]), used + 1
        elif (word == "and" and some and group % 100 == 0) or (word in ("a", "an") and not some):
            if at + used + 1 >= len(words) or not _continues(words[at + used + 1]):
                break
            used += 1
        else:
            break
    return (Decimal(total + group), used) if some else (None, max(used, 1))


def _scaled(group: int, total: int, scale: int) -> tuple[int, int]:
    """``hundred`` multiplies the group; larger scales close it."""
    if scale == 100:
        return group * 100, total
    return 0, total + group * scale


def _article(words: Sequence[str], at: int, used: int) -> bool:
    return used > 0 and words[at + used - 1] in ("a", "an")


def _continues(word: str) -> bool:
    return word in _SCALES or word in _WORDS_FOR or numeral([word], 0) is not None


def _written(word: str) -> tuple[Decimal | None, int]:
    """Numerals: ``1,250`` and ``3.5``; a time or a date is not a number."""
    plain = word.replace(",", "")
    if plain.replace(".", "", 1).isdigit() and plain.isascii() and len(plain) <= 18:
        return Decimal(plain), 1
    return None, 1


def _decimals_at(words: Sequence[str], at: int) -> tuple[str, int]:
    digits = ""
    count = 0
    while at + count < len(words) and words[at + count] in UNITS.keys() | {"oh"}:
        digits += str(UNITS.get(words[at + count], 0))
        count += 1
    return digits, count
