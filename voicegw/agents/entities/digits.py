"""Digit strings: account numbers, PINs, postcodes of digits. Dictated in many ways, never a quantity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from voicegw.agents.entities.slot import Digits, Keypad, Parsed, Value, spoken_digits
from voicegw.agents.entities.words import (
    FILLERS,
    HOMOPHONES,
    TEENS,
    TENS,
    UNIT_WORDS,
    UNITS,
    cardinal,
    tokens,
)

_REPEATS = {"double": 2, "triple": 3, "treble": 3}
_JOINERS = FILLERS | {"and", "dash", "hyphen", "space", "dot", "is", "a", "it's", "followed", "by"}
_CORRECTIONS = frozenset(["no", "sorry", "actually", "wait", "rather", "correction"])
_SAMPLES = 60


@dataclass(frozen=True, slots=True)
class DigitsSlot:
    """A string of ``min_length`` to ``max_length`` digits."""

    min_length: int = 1
    max_length: int = 20
    patient: bool = True

    @property
    def keypad(self) -> Keypad:
        end = "" if self.min_length == self.max_length else ", then the hash key"
        return Keypad(self.max_length, f"key in the digits{end}")

    def parse(self, text: str, _now: datetime, /) -> Parsed | None:
        """See :class:`Slot`. After "no" or "sorry" the caller begins again: the last attempt that fits counts."""
        for words in _attempts(tokens(text)):
            if found := self._fit(words):
                return found
        return None

    def _fit(self, words: Sequence[str]) -> Parsed | None:
        """All digits together if their number fits, else the one run of digits that does."""
        for lenient in (False, True):
            runs = list(_runs(words, lenient))
            joined = "".join(runs)
            if self._fits(joined):
                return Parsed(Digits(joined))
            fitting = [run for run in runs if self._fits(run)]
            if len(fitting) == 1:
                return Parsed(Digits(fitting[0]), certain=False)
        return None

    def _fits(self, digits: str) -> bool:
        return self.min_length <= len(digits) <= self.max_length

    def parse_keys(self, keys: str, _now: datetime, /) -> Value | None:
        """See :class:`Slot`."""
        return Digits(keys) if keys.isascii() and keys.isdigit() and self._fits(keys) else None

    def spoken(self, value: Value) -> str:
        """One by one."""
        return spoken_digits(str(value))

    def phrases(self) -> tuple[str, ...]:
        """Pseudo-random strings (the same every time), so that each digit may follow each other one."""
        samples: list[str] = []
        state = 20_071
        for index in range(_SAMPLES):
            span = self.max_length - self.min_length + 1
            length = self.min_length + index % min(span, 12)
            digits = ""
            for _ in range(length):
                state = (state * 1_103_515_245 + 12_345) % 2**31
                digits += str(state // 65_536 % 10)
            samples.append(" ".join(_dictate(digits, index)))
        lead_ins = ("it's {}", "it is {}", "my number is {}", "the number is {}", "yes it's {}", "no it's {}")
        samples += [lead.format(samples[i]) for i, lead in enumerate(lead_ins)]
        return tuple(dict.fromkeys(samples))

    def is_complete(self, partial: str) -> bool:
        """All digits are there."""
        found = "".join(_runs(tokens(partial), True))
        return len(found) >= self.max_length


def _dictate(digits: str, style: int) -> Iterator[str]:
    """One way to say the digits: mostly one by one, sometimes with "oh", "double" or in pairs."""
    position = 0
    while position < len(digits):
        pair = digits[position : position + 2]
        if style % 4 == 1 and len(pair) == 2 and pair[0] == pair[1]:
            yield f"double {_digit_word(pair[0], style)}"
            position += 2
        elif style % 6 == 5 and len(pair) == 2 and pair[0] != "0":
            yield cardinal(int(pair))
            position += 2
        else:
            yield _digit_word(pair[0], style)
            position += 1


def _digit_word(digit: str, style: int) -> str:
    return "oh" if digit == "0" and style % 2 else UNIT_WORDS[int(digit)]


def _attempts(words: list[str]) -> Iterator[list[str]]:
    """The words after the last correction first, then all of them."""
    marks = [i for i, word in enumerate(words) if word in _CORRECTIONS]
    for mark in reversed(marks):
        yield words[mark + 1 :]
    yield words


def _runs(words: Sequence[str], lenient: bool) -> Iterator[str]:
    """Maximal runs of digits in ``words``; ``lenient`` takes homophones that stand beside digits."""
    run, position = "", 0
    while position < len(words):
        digits, used = _digits_at(words, position, lenient)
        if digits:
            run += digits
        elif words[position] not in _JOINERS:
            if run:
                yield run
            run = ""
        position += used
    if run:
        yield run


def _digits_at(words: Sequence[str], at: int, lenient: bool) -> tuple[str, int]:
    """The digits that begin at ``words[at]`` and how many words they take; no digits: skip one word."""
    word = words[at]
    if word[0].isdigit():
        return "".join(char for char in word if char in "0123456789"), 1
    if word in _REPEATS and at + 1 < len(words):
        digit = _unit(words, at + 1, True)
        return (digit * _REPEATS[word], 2) if digit else ("", 1)
    if (unit := _unit(words, at, lenient)) is not None:
        return _hundreds(words, at, unit)
    if word in TEENS:
        return str(TEENS[word]), 1
    if word in TENS:
        following = _unit(words, at + 1, False)
        return (str(TENS[word] + int(following)), 2) if following not in (None, "0") else (str(TENS[word]), 1)
    return "", 1


def _hundreds(words: Sequence[str], at: int, unit: str) -> tuple[str, int]:
    """``four hundred and twenty seven`` is 427, ``four hundred`` 400, ``four thousand`` 4000, ``four`` 4."""
    scale = words[at + 1] if at + 1 < len(words) else ""
    if scale == "thousand":
        return unit + "000", 2
    if scale != "hundred":
        return unit, 1
    position = at + 2
    if position < len(words) and words[position] == "and":
        position += 1
    if position < len(words) and words[position] in TEENS.keys() | TENS.keys():
        rest, used = _digits_at(words, position, False)
        return unit + rest, position - at + used
    return unit + "00", 2


def _unit(words: Sequence[str], at: int, lenient: bool) -> str | None:
    """The single digit at ``words[at]``; "oh" and "o" are always zero, other homophones only if lenient."""
    if at >= len(words):
        return None
    word = words[at]
    if word in UNITS:
        return str(UNITS[word])
    if word in ("oh", "o", "nought") and _beside_digit(words, at):
        return "0"
    if lenient and word in HOMOPHONES and _beside_digit(words, at):
        return str(UNITS[HOMOPHONES[word]])
    return None


def _beside_digit(words: Sequence[str], at: int) -> bool:
    """Whether a neighbour is a digit word or sounds like one; a lone "to" or "oh" is not a digit."""
    known = UNITS.keys() | HOMOPHONES.keys() | TEENS.keys() | TENS.keys() | _REPEATS.keys()
    neighbours = [words[i] for i in (at - 1, at + 1) if 0 <= i < len(words)]
    return any(word in known or word.isdigit() for word in neighbours)
