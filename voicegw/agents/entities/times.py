"""Times of day: "half past three", "three thirty in the afternoon", "quarter to nine", "noon", "ten a m"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from voicegw.agents.entities.slot import Keypad, Parsed, Value
from voicegw.agents.entities.words import UNIT_WORDS, below_hundred, numeral, tokens, without_fillers

_CLOCK = re.compile(r"(\d{1,2})[:.](\d\d)$")
_NAMED = {"noon": 720, "midday": 720, "midnight": 0, "lunchtime": 720}
_PARTS = {
    "morning": "am",
    "afternoon": "pm",
    "evening": "pm",
    "tonight": "pm",
    "night": "pm",
    "am": "am",
    "pm": "pm",
}
_FRACTIONS = {"quarter": 15, "half": 30}
_CORRECTIONS = frozenset(["no", "sorry", "actually", "wait", "rather", "not"])
_HOUR_HOMOPHONES = {"to": 2, "too": 2, "for": 4, "ate": 8, "won": 1, "free": 3, "tree": 3}
_DANGLING = frozenset(["half", "quarter", "past", "to", "at", "in", "the", "a", "p", "twenty"])
_KEYPAD = Keypad(4, "key in the time as four digits, on the twenty four hour clock")


@dataclass(frozen=True, slots=True)
class TimeSlot:
    """A time of day. Without "a.m." or "p.m." the reading between ``earliest`` and ``latest`` counts.

    Outside these bounds an answer is still taken, so that the flow can say that it is outside.
    """

    earliest: time = time(7)
    latest: time = time(18, 59)
    patient: bool = False
    keypad: Keypad = _KEYPAD

    def parse(self, text: str, _now: datetime, /) -> Parsed | None:
        """See :class:`Slot`. The time named last counts ("at three, no, at four")."""
        words = without_fillers(tokens(text))
        marks = [i + 1 for i, word in enumerate(words) if word in _CORRECTIONS]
        for start in [*reversed(marks), 0]:
            if (found := self._find(words[start:])) is not None:
                return Parsed(found, certain=start == 0)
        return None

    def _find(self, words: Sequence[str]) -> time | None:
        part = next((_PARTS[word] for word in words if word in _PARTS), "")
        for at, word in enumerate(words):
            if word in _NAMED:
                return _of_minutes(_NAMED[word])
            if (relative := _relative(words, at)) is not None:
                return self._resolve(relative, part)
        for at in range(len(words)):
            if (plain := _plain(words, at)) is not None:
                return self._resolve(plain, part)
        if len(words) == 1 and words[0] in _HOUR_HOMOPHONES:
            return self._resolve(_HOUR_HOMOPHONES[words[0]] * 60, part)
        return None

    def _resolve(self, minutes: int, part: str) -> time:
        """Choose between morning and afternoon."""
        half_day = 12 * 60
        if minutes >= 13 * 60 or minutes < 60:
            return _of_minutes(minutes)
        morning = minutes % half_day
        if part:
            return _of_minutes(morning + (half_day if part == "pm" else 0))
        first, second = _of_minutes(morning), _of_minutes(morning + half_day)
        if self.earliest <= first <= self.latest:
            return first
        if self.earliest <= second <= self.latest or minutes < 7 * 60 or minutes >= half_day:
            return second
        return first

    def parse_keys(self, keys: str, _now: datetime, /) -> Value | None:
        """See :class:`Slot`. 1530, and 930 for 0930."""
        if not (keys.isascii() and keys.isdigit()) or not 3 <= len(keys) <= 4:
            return None
        hour, minute = int(keys[:-2]), int(keys[-2:])
        return time(hour, minute) if hour < 24 and minute < 60 else None

    def spoken(self, value: Value) -> str:
        """In words of the clock."""
        return spoken_time(value)

    def phrases(self) -> tuple[str, ...]:
        """The hours, halves and quarters in the usual wordings, with and without the part of the day."""
        hours = [below_hundred(hour) for hour in range(1, 13)]
        plain = [
            f"{hour}{tail}" for hour in hours for tail in ("", " o'clock", " thirty", " fifteen", " forty five")
        ]
        clock = [f"{lead} {hour}" for hour in hours for lead in ("half past", "quarter past", "quarter to")]
        clock += [f"{lead} {hour}" for hour in hours for lead in ("a quarter past", "ten past", "twenty to")]
        parts = [
            f"{hour}{tail}"
            for hour in hours
            for tail in (" a.m.", " p.m.", " in the morning", " in the afternoon", " in the evening")
        ]
        parts += [f"{hour} thirty {tail}" for hour in hours for tail in ("p.m.", "in the afternoon", "a.m.")]
        named = ["noon", "midday", "at noon", "midnight"]
        leads = [f"{lead} {text}" for text in plain[::2] + clock[::3] for lead in ("at", "no", "about")]
        leads += [f"no at {hour}" for hour in hours] + [f"no at half past {hour}" for hour in hours]
        return tuple(dict.fromkeys(plain + clock + parts + named + leads))

    def is_complete(self, partial: str) -> bool:
        """A time with its part of the day, or one to which none is usually added."""
        words = tokens(partial)
        if not words or words[-1] in _DANGLING or self._find(without_fillers(words)) is None:
            return False
        closed = set(_PARTS) | set(_NAMED) | {"o'clock"}
        return words[-1] in closed or bool({"past", "to", "half"} & set(words)) or len(words) > 1


def spoken_time(value: Value) -> str:
    """``half past three in the afternoon``, ``nine fifteen in the morning``, ``noon``."""
    if not isinstance(value, time):
        return str(value)
    if value.minute == 0 and value.hour in (0, 12):
        return "noon" if value.hour else "midnight"
    hour = below_hundred((value.hour - 1) % 12 + 1)
    if value.hour < 12:
        part = "in the morning"
    else:
        part = "in the afternoon" if value.hour < 18 else "in the evening"
    if value.minute == 0:
        return f"{hour} o'clock {part}"
    if value.minute == 30:
        return f"half past {hour} {part}"
    minute = below_hundred(value.minute) if value.minute >= 10 else f"oh {UNIT_WORDS[value.minute]}"
    return f"{hour} {minute} {part}"


def _of_minutes(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


def _hour(words: Sequence[str], at: int) -> int | None:
    """An hour of the 12-hour clock at ``words[at]``, homophones included: it stands where an hour must."""
    found = numeral(words, at)
    if found and 1 <= found[0] <= 12:
        return found[0]
    return _HOUR_HOMOPHONES.get(words[at]) if at < len(words) else None


def _relative(words: Sequence[str], at: int) -> int | None:
    """``half past three``, ``half three``, ``quarter to nine``, ``twenty five past ten``; minutes of the day."""
    fraction = _FRACTIONS.get(words[at])
    small = numeral(words, at)
    amount, used = (fraction, 1) if fraction else small if small else (None, 0)
    if amount is None or not 1 <= amount <= 30:
        return None
    position = at + used
    if position < len(words) and words[position] == "minutes":
        position += 1
    link = words[position] if position < len(words) else ""
    if link in ("past", "after", "passed", "to", "before", "till") and amount % 5 == 0:
        hour = _hour(words, position + 1)
        if hour is None:
            return None
        if link in ("past", "after", "passed"):
            return hour * 60 + amount
        return (hour * 60 - amount - 60) % 720 + 60
    if fraction == 30 and (hour := _hour(words, position)) is not None:
        return hour * 60 + 30
    return None


def _homophone_hour(words: Sequence[str], at: int) -> tuple[int, int] | None:
    """ "for thirty", "to o'clock", "ate a m": what follows says that an hour was meant."""
    hour = _HOUR_HOMOPHONES.get(words[at])
    if hour is None or at + 1 >= len(words):
        return None
    following = numeral(words, at + 1)
    clear = words[at + 1] in ("o'clock", "am", "pm") or (following is not None and following[0] in range(10, 60))
    return (hour, 1) if clear else None


def _plain(words: Sequence[str], at: int) -> int | None:
    """``three``, ``three thirty``, ``three oh five``, ``15:30``, ``fifteen thirty``, ``3 pm``; minutes."""
    if match := _CLOCK.match(words[at]):
        hour, minute = int(match[1]), int(match[2])
        return hour * 60 + minute if hour < 24 and minute < 60 else None
    found = numeral(words, at) or _homophone_hour(words, at)
    if found is None or found[0] > 23:
        return None
    hour, position = found[0], at + found[1]
    if position < len(words) and words[position] in ("hundred", "o'clock"):
        return hour * 60
    if position < len(words) and words[position] in ("oh", "o", "zero"):
        rest = numeral(words, position + 1)
        return hour * 60 + (rest[0] if rest and rest[0] < 10 else 0)
    rest = numeral(words, position)
    if rest and 10 <= rest[0] <= 59:
        return hour * 60 + rest[0]
    return hour * 60
