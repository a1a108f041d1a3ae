"""Takes card numbers, their codes and configured patterns out of what is said, before anybody writes it down.

A card number is 13 to 19 digits with a right check digit (ISO/IEC 7812-1, Luhn's formula). Callers dictate it in
groups, over several turns, and the agent may read it back: so this remembers what was found, for as long as the
call lasts and in memory only, and what a caller goes on with after eight digits is masked before it can be checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from voicegw.call.spoken_digits import Run, begins, ends, find_runs

CARD: Final = "[card number]"
CODE: Final = "[code]"
HIDDEN: Final = "[sensitive]"
KEY: Final = "•"
MARKERS: Final = (CARD, CODE, HIDDEN)

_CARD_DIGITS: Final = range(13, 20)
_E164_DIGITS: Final = 15
_OPEN_DIGITS: Final = 8
"""Of a number that goes on over several turns so many are shown: what names the bank, not the card."""
_CODE_DIGITS: Final = (3, 4)
_CODE_TURNS: Final = 4
"""Turns of the caller after a card number in which three or four digits are taken for its security code."""
_CONTAINED: Final = 6
"""A secret of so many digits is found inside longer numbers; a shorter one only alone."""
_SEGMENT: Final = 256
_OVERLAP: Final = 128


def is_card_number(digits: str) -> bool:
    """Whether these digits are as many as a card has, and the check digit is right."""
    if len(digits) not in _CARD_DIGITS:
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def card_places(digits: str) -> set[int]:
    """Places of all digits that belong to some card number."""
    found: set[int] = set()
    for start in range(len(digits) - _CARD_DIGITS[0] + 1):
        for length in _CARD_DIGITS:
            if start + length <= len(digits) and is_card_number(digits[start : start + length]):
                found.update(range(start, start + length))
    return found


class Redactor:
    """The memory of one call. Texts in, texts without secrets out; the same text twice changes nothing more."""

    def __init__(self, patterns: Mapping[str, re.Pattern[str]] | None = None, *, cards: bool = True) -> None:
        """``patterns``: name → what is replaced by ``[name]``; see :func:`check_patterns`."""
        self._patterns = dict(patterns or {})
        self._cards = cards
        self._open = ""
        """What was dictated in the last turns and may go on in the next one."""
        self._taken = False
        """Whether the agent took a value out of the turn that is about to be told."""
        self._keys = 0
        self._codes = 0
        self._numbers: dict[str, str] = {}
        self._words: dict[str, str] = {}

    @property
    def hides_keys(self) -> bool:
        """Whether keys that are pressed may be part of a card number, which nobody knows at the first of them."""
        return self._cards

    # ------------------------------------------------------------ what comes in

    def text(self, text: str) -> str:
        """Something that is no turn of the caller: the agent's words, a value, an address."""
        return self._others(self._mask(text, ""))

    def value(self, text: str) -> str:
        """A value that the agent understood; a code that follows a card may stand alone.

        What the agent took a value out of, be it a number or a time, is over: what is said next is something else.
        A value is told before the turn that it comes from, or after it if that was keyed.
        """
        digits = "".join(run.digits for run in find_runs(text))
        if digits and self._open.endswith(digits):
            self._open = ""
        else:
            self._taken = True
        masked = self.text(text)
        return CODE if self._codes and _is_code(masked) else masked

    def caller(self, text: str) -> str:
        """The caller's next turn, by voice or by keys."""
        carried, self._open, self._keys = self._open, "", 0
        if _begins_again(carried, text):
            carried = ""
        self._codes = max(self._codes - 1, 0)
        masked = self._mask(text, carried, codes=self._codes > 0)
        runs = find_runs(text)
        if runs and ends(text, runs[-1]):
            alone = len(runs) == 1 and begins(text, runs[-1])
            self._open = ((carried if alone else "") + runs[-1].digits)[: _CARD_DIGITS[-1]]
        if self._taken:
            self._open = ""
        self._taken = False
        return self._others(masked)

    def key(self, digit: str) -> str:
        """One key as it is pressed."""
        self._keys += 1
        return KEY if self._cards and (self._codes or self._keys + len(self._open) > _OPEN_DIGITS) else digit

    def conceal(self, value: str) -> None:
        """From now on this value, or its digits in any wording, is masked wherever it turns up."""
        digits = "".join(run.digits for run in find_runs(value))
        if len(digits) >= _CODE_DIGITS[0]:
            self._numbers[digits] = HIDDEN
        if len(value.strip()) >= _CODE_DIGITS[0]:
            self._words[value.strip()] = HIDDEN

    # ------------------------------------------------------------ masking

    def _mask(self, text: str, carried: str, *, codes: bool = False) -> str:
        """Numbers of ``text``; ``carried`` was dictated in the turns before, ``codes`` may follow."""
        spans: list[tuple[int, int, str]] = []
        for run in find_runs(text):
            if known := self._numbers.get(run.digits):
                spans += _spans(run, set(range(len(run.items))), known)
                continue
            before = carried if begins(text, run) else ""
            code = codes and _has_ended(before) and len(run.items) in _CODE_DIGITS
            places = set() if code else self._secret_places(run, before)
            spans += _spans(run, places, CARD)
            rest = [place for place in range(len(run.items)) if place not in places]
            if (codes or any(marker == CARD for *_, marker in spans)) and len(rest) in _CODE_DIGITS:
                self._numbers["".join(run.items[place].value for place in rest)] = CODE
                spans += _spans(run, set(rest), CODE)
        return _replace(text, spans)

    def _secret_places(self, run: Run, before: str) -> set[int]:
        digits = run.digits
        places = {place for secret in self._numbers for place in _occurrences(digits, secret)}
        if not self._cards or (run.international and len(digits) <= _E164_DIGITS):
            return places
        joined = before + digits
        cards = {place - len(before) for place in card_places(joined) if place >= len(before)}
        if before and len(joined) > _OPEN_DIGITS:
            cards |= set(range(max(_OPEN_DIGITS - len(before), 0), len(digits)))
        if cards:
            self._remember(joined)
        return places | cards

    def _remember(self, joined: str) -> None:
        places = card_places(joined)
        if places:
            self._numbers[joined[min(places) : max(places) + 1]] = CARD
        self._codes = _CODE_TURNS

    def _others(self, text: str) -> str:
        for word, marker in self._words.items():
            text = re.sub(re.escape(word), marker, text, flags=re.IGNORECASE)
        for name, pattern in self._patterns.items():
            text = _search(text, pattern, f"[{name}]")
        return text


def check_patterns(patterns: Mapping[str, re.Pattern[str]]) -> str:
    """Why these patterns cannot be used, in plain words; empty if they can."""
    markers = [*MARKERS, *(f"[{name}]" for name in patterns)]
    for name, pattern in patterns.items():
        if pattern.search(""):
            return f"the pattern '{name}' matches nothing at all"
        for marker in markers:
            if pattern.search(marker):
                return f"the pattern '{name}' matches {marker}, which stands for what was taken out"
    return ""


def _begins_again(carried: str, text: str) -> bool:
    """Whether a number that was not understood is said once more: about as long, and beginning alike. Groups of a
    card are shorter."""
    runs = find_runs(text)
    digits = runs[0].digits if len(runs) == 1 else ""
    return len(digits) > 4 and len(digits) >= len(carried) - 1 and digits[:2] == carried[:2]


def _is_code(text: str) -> bool:
    runs = find_runs(text)
    return len(runs) == 1 and len(runs[0].items) in _CODE_DIGITS and begins(text, runs[0]) and ends(text, runs[0])


def _has_ended(number: str) -> bool:
    """Whether what was dictated so far may be a whole card number."""
    return len(number) - 1 in card_places(number)


def _occurrences(digits: str, secret: str) -> Iterable[int]:
    if len(secret) < _CONTAINED:
        return ()
    at = digits.find(secret)
    return range(at, at + len(secret)) if at >= 0 else ()


def _spans(run: Run, places: set[int], marker: str) -> list[tuple[int, int, str]]:
    """Stretches of the text from the first to the last of neighbouring places."""
    spans: list[tuple[int, int, str]] = []
    last = -2
    for place in sorted(places):
        item = run.items[place]
        if place == last + 1:
            spans[-1] = (spans[-1][0], item.end, marker)
        else:
            spans.append((item.start, item.end, marker))
        last = place
    return spans


def _replace(text: str, spans: list[tuple[int, int, str]]) -> str:
    """Put the markers in; stretches that share a word become one."""
    out, at = [], 0
    for start, end, marker in sorted(spans):
        if start >= at:
            out += [text[at:start], marker]
        at = max(at, end)
    return "".join([*out, text[at:]])


def _search(text: str, pattern: re.Pattern[str], marker: str) -> str:
    """Replace every match; long texts piece by piece, because a pattern's worst case is bounded for short ones."""
    out, at = [], 0
    while at < len(text):
        match = pattern.search(text[at : at + _SEGMENT])
        if match is not None and match.end() > match.start():
            out += [text[at : at + match.start()], marker]
            at += match.end()
        else:
            step = _OVERLAP if len(text) - at > _SEGMENT else len(text) - at
            out.append(text[at : at + step])
            at += step
    return "".join(out)
