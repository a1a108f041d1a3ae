"""Days, as people name them: "tuesday", "next friday", "the third of march", "in two weeks"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from voicegw.agents.entities.slot import Keypad, Parsed, Value
from voicegw.agents.entities.words import (
    ORDINALS,
    TENS,
    UNITS,
    cardinal,
    numeral,
    ordinal,
    ordinal_numeral,
    tokens,
    without_fillers,
)

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_WEEKDAY = {name: i for i, name in enumerate(WEEKDAYS)} | {
    alias: WEEKDAYS.index(name)
    for name, aliases in {
        "monday": ("mondays", "mon"),
        "tuesday": ("tuesdays", "tues", "tue"),
        "wednesday": ("wednesdays", "wed"),
        "thursday": ("thursdays", "thurs", "thu"),
        "friday": ("fridays", "fri"),
        "saturday": ("saturdays", "sat"),
        "sunday": ("sundays", "sun"),
    }.items()
    for alias in aliases
}
_MONTH = {name: i for i, name in enumerate(MONTHS, 1)} | {
    name[:3]: i for i, name in enumerate(MONTHS, 1) if name != "may"
}
_SPANS = {"day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14}
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})$")
_CORRECTIONS = frozenset(["no", "sorry", "actually", "wait", "rather", "not"])
_DANGLING = frozenset(["next", "this", "the", "of", "on", "in", "on", "twenty", "thirty", "after"])
_DAY_WORDINGS = (
    *("{}", "on {}", "next {}", "next {} please", "this {}", "no {}", "no on {}", "how about {}", "what about {}"),
    *("{} please", "on {} please", "{} would be good", "{} is fine", "{} would be fine", "let's say {}"),
    *("i'd like {}", "i'd like to come on {}", "can i come on {}", "maybe {}"),
)
_KEYPAD = Keypad(4, "key in the day and the month as four digits")


@dataclass(frozen=True, slots=True)
class DateSlot:
    """A day, today or later unless ``past`` is allowed."""

    past: bool = False
    patient: bool = False
    keypad: Keypad = _KEYPAD

    def parse(self, text: str, now: datetime, /) -> Parsed | None:
        """See :class:`Slot`. The day named last counts ("tuesday, no, wednesday")."""
        words = without_fillers(tokens(text))
        today = now.date()
        marks = [i + 1 for i, word in enumerate(words) if word in _CORRECTIONS]
        for start in [*reversed(marks), 0]:
            if (found := self._find(words[start:], today)) is not None:
                return Parsed(found, certain=start == 0)
        return None

    def _find(self, words: Sequence[str], today: date) -> date | None:
        """The most telling reading: a calendar date, then something relative, then a weekday, then "the third"."""
        for reader in (self._calendar, self._relative, self._weekday, self._day_of_month):
            found = reader(words, today)
            if found is not None and (self.past or found >= today):
                return found
        return None

    def _calendar(self, words: Sequence[str], today: date) -> date | None:
        """``the third of march``, ``march third twenty twenty seven``, ``2026-03-03``."""
        for at, word in enumerate(words):
            if match := _ISO.match(word):
                return _make(int(match[1]), int(match[2]), int(match[3]))
            if (month := _MONTH.get(word)) is None:
                continue
            day, after = _day_near(words, at)
            if day is not None:
                year = _year(words, after)
                return _make(year, month, day) if year else self._nearest(month, day, today)
        return None

    def _nearest(self, month: int, day: int, today: date) -> date | None:
        """This year's, or where that is over next year's; a leap day waits for its year."""
        for year in range(today.year, today.year + 9):
            found = _make(year, month, day)
            if found and (found >= today or self.past):
                return found
        return None

    def _relative(self, words: Sequence[str], today: date) -> date | None:
        """``tomorrow``, ``the day after tomorrow``, ``in three days``, ``a week today``, ``next week monday``."""
        text = " ".join(words)
        if "day after tomorrow" in text:
            return today + timedelta(days=2)
        named = _weekday_in(words)
        base = 1 if "tomorrow" in words else 0
        offset = _offset(words)
        if offset is not None:
            if named is not None:
                base = (named[0] - today.weekday() - 1) % 7 + 1
            return today + timedelta(days=offset + base)
        near = bool({"today", "tonight", "tomorrow"} & set(words))
        return today + timedelta(days=base) if near and named is None else None

    def _weekday(self, words: Sequence[str], today: date) -> date | None:
        """``tuesday`` is the coming one, ``next tuesday`` the one of the next calendar week."""
        named = _weekday_in(words)
        if named is None:
            return None
        weekday, at = named
        before = words[at - 1] if at else ""
        ahead = (weekday - today.weekday()) % 7
        if before == "next" or "next week" in " ".join(words):
            monday = today - timedelta(days=today.weekday())
            return monday + timedelta(days=7 + weekday)
        if before == "last" and self.past:
            return today - timedelta(days=7 - ahead)
        return today + timedelta(days=ahead or (0 if before == "this" else 7))

    def _day_of_month(self, words: Sequence[str], today: date) -> date | None:
        """``the third``: of this month, or of the next one that has such a day and is not over."""
        for at in range(len(words)):
            if found := ordinal_numeral(words, at):
                first = today.replace(day=1)
                for ahead in range(13):
                    month = (first.month - 1 + ahead) % 12 + 1
                    day = _make(first.year + (first.month - 1 + ahead) // 12, month, found[0])
                    if day and day >= today:
                        return day
                return None
        return None

    def parse_keys(self, keys: str, now: datetime, /) -> Value | None:
        """See :class:`Slot`. Day and month: 0303."""
        if len(keys) != 4 or not (keys.isascii() and keys.isdigit()):
            return None
        return self._nearest(int(keys[2:]), int(keys[:2]), now.date())

    def spoken(self, value: Value) -> str:
        """Weekday, day and month; the year is left to the context."""
        return spoken_date(value)

    def phrases(self) -> tuple[str, ...]:
        """Weekdays in many wordings, since most callers name one; relative days; every day of the year."""
        days = [wording.format(day) for day in WEEKDAYS for wording in _DAY_WORDINGS]
        relative = ["today", "tomorrow", "the day after tomorrow", "next week", "in a week", "a week from today"]
        relative += [f"in {cardinal(n)} days" for n in range(2, 11)] + ["in two weeks", "in three weeks"]
        relative += [f"a week on {day}" for day in WEEKDAYS]
        dates: list[str] = []
        for index in range(366):
            day = date(2024, 1, 1) + timedelta(days=index)
            month, number = MONTHS[day.month - 1], ordinal(day.day)
            orders = (f"the {number} of {month}", f"{month} {number}", f"{month} the {number}")
            dates.append(orders[index % 3])
            if index % 11 == 0:
                dates.append(f"{WEEKDAYS[day.weekday()]} the {number} of {month}")
                dates.append(f"{WEEKDAYS[day.weekday()]} {month} {number}")
        dates += [f"the {ordinal(n)}" for n in range(1, 32)]
        return tuple(dict.fromkeys(days + relative + dates))

    def is_complete(self, partial: str) -> bool:
        """A day, and the last word does not ask for more."""
        words = tokens(partial)
        if not words or words[-1] in _DANGLING:
            return False
        if words[-1] in _MONTH:
            return self._calendar(without_fillers(words), date(2024, 1, 1)) is not None
        return self._find(without_fillers(words), date(2024, 1, 1)) is not None


def spoken_date(value: Value) -> str:
    """``Tuesday the third of March``."""
    if not isinstance(value, date):
        return str(value)
    weekday, month = WEEKDAYS[value.weekday()].capitalize(), MONTHS[value.month - 1].capitalize()
    return f"{weekday} the {ordinal(value.day)} of {month}"


def _make(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _day_near(words: Sequence[str], at: int) -> tuple[int | None, int]:
    """The day of the month beside the month at ``words[at]``, and the position after both.

    ``the fifth of march two …`` means the fifth and a year, ``ten march third`` the third, ``25 december``
    the 25th: what has an "of" or an ordinal before the month goes first, then what follows it, then a plain
    number before it.
    """
    linked = at - 1 if at and words[at - 1] == "of" else at
    after = ordinal_numeral(words, at + 1) or numeral(words, at + 1)
    candidates = [
        *((found, at + 1) for found in _ending_at(words, linked, ordinals_only=linked == at)),
        *([(after[0], at + 1 + after[1])] if after else []),
        *((found, at + 1) for found in _ending_at(words, linked, ordinals_only=False)),
    ]
    for day, end in candidates:
        return (day, end) if 1 <= day <= 31 else (None, at + 1)
    return None, at + 1


def _ending_at(words: Sequence[str], end: int, *, ordinals_only: bool) -> list[int]:
    """The number that ends just before ``words[end]``, of two words rather than of one."""
    for start in (end - 2, end - 1):
        if start < 0:
            continue
        if words[start] in ("twenty", "thirty") and start == end - 2 and words[end - 1] in ORDINALS:
            return [TENS[words[start]] + ORDINALS[words[end - 1]]]
        found = ordinal_numeral(words, start) or (None if ordinals_only else numeral(words, start))
        if found and start + found[1] == end:
            return [found[0]]
    return []


def _year(words: Sequence[str], at: int) -> int | None:
    """``2026``, ``twenty twenty six``, ``two thousand and twenty six`` at ``words[at]``."""
    if at >= len(words):
        return None
    word = words[at]
    if word.isascii() and word.isdigit() and len(word) == 4:
        return int(word)
    if word == "twenty" and (rest := numeral(words, at + 1)) and 10 <= rest[0] <= 99:
        return 2000 + rest[0]
    if list(words[at : at + 2]) == ["two", "thousand"]:
        rest = numeral(words, at + 3 if words[at + 2 : at + 3] == ["and"] else at + 2)
        return 2000 + (rest[0] if rest else 0)
    return None


def _weekday_in(words: Sequence[str]) -> tuple[int, int] | None:
    """The last weekday named and its position."""
    for at in reversed(range(len(words))):
        word = words[at].removesuffix("'s")
        if word in _WEEKDAY:
            return _WEEKDAY[word], at
    return None


def _offset(words: Sequence[str]) -> int | None:
    """Days in ``in three days``, ``two weeks from``, ``a week on``, ``next week``; None if there is none."""
    for at, word in enumerate(words):
        if word not in _SPANS or at == 0:
            continue
        before = words[at - 1]
        following = words[at + 1] if at + 1 < len(words) else ""
        if before == "next" and word == "week":
            return None if _weekday_in(words) else 7
        if before in ("a", "one", "couple", "of") and (following or "in" in words[:at]):
            return _SPANS[word] * (2 if before in ("couple", "of") else 1)
        count = UNITS.get(before) or (numeral(words, at - 1) or (0, 0))[0]
        if count and word != "fortnight":
            return _SPANS[word] * count
    return None
