"""What callers of the appointment line want, how they put it, and what they answer to which question."""

from __future__ import annotations

import random
from calendar import day_name, month_name
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from voicegw.agents.entities.words import ordinal

VOICES: Final = ("rms", "awb", "kal16")
"""The agent of the appointment line speaks with another one."""
RATES: Final = (0.9, 1.0, 1.1)
SLOTS: Final = ("day", "time", "account")
SEED: Final = 20260
_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TIMES: Final = (
    ("half past three", "15:30"),
    ("at ten o'clock", "10:00"),
    ("quarter past nine", "09:15"),
    ("two thirty in the afternoon", "14:30"),
    ("at four p m", "16:00"),
    ("eleven thirty", "11:30"),
    ("quarter to five", "16:45"),
    ("nine fifteen please", "09:15"),
    ("at half past eight in the morning", "08:30"),
    ("ten a m please", "10:00"),
    ("twelve o'clock", "12:00"),
    ("one fifteen", "13:15"),
)
_YES: Final = ("yes", "yes that's right", "that's correct", "yes please", "yeah that's right", "correct")
_NO: Final = ("no that's wrong", "no", "no that's not right")


@dataclass(frozen=True, slots=True)
class Answer:
    """Words, the value that they stand for, and how to put it when asked again, if not in the same words."""

    words: str
    value: str
    again: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller: a voice, three wishes, and ways to agree and to object."""

    voice: str
    rate: float
    day: Answer
    time: Answer
    account: Answer
    yes: str
    no: str

    @property
    def wanted(self) -> dict[str, str]:
        """What the agent must have understood in the end."""
        return {"day": self.day.value, "time": self.time.value, "account": self.account.value}

    def reply_to(self, question: str, understood: Mapping[str, str], said: Sequence[str]) -> str:
        """What the caller says to the last thing the agent said, having heard ``understood`` read back.

        ``said`` is everything they said before. Empty if it was no question to them.
        """
        text = question.lower()
        if "?" not in text and "please" not in text:
            return ""
        wrong = [name for name in SLOTS if understood.get(name) != self.wanted[name]]
        if "what should i change" in text:
            return {"day": "the day", "time": "the time", "account": "the number"}[(wrong or ["day"])[0]]
        if "is that right" in text or "yes or no" in text:
            return self.no if wrong else self.yes
        if "number" in text or "digit" in text:
            return self.account.again if self.account.words in said else self.account.words
        if "time" in text:
            return self.time.words
        if "day" in text:
            return self.day.words
        return ""


def callers(count: int, today: date) -> list[Caller]:
    """``count`` callers, the same ones every time as far as the calendar allows."""
    chance = random.Random(SEED)
    made: list[Caller] = []
    for number in range(count):
        words, value = _TIMES[number % len(_TIMES)]
        made.append(
            Caller(
                voice=VOICES[number % len(VOICES)],
                rate=RATES[number // len(VOICES) % len(RATES)],
                day=_day(number, today, chance),
                time=Answer(words, value),
                account=_account(number, chance),
                yes=_YES[number % len(_YES)],
                no=_NO[number % len(_NO)],
            )
        )
    return made


def _day(number: int, today: date, chance: random.Random) -> Answer:
    """Days that mean the same to everybody: "next tuesday" only where the coming one is in the next week."""
    weekday = chance.randrange(5)
    coming = today + timedelta(days=(weekday - today.weekday()) % 7 or 7)
    name = day_name[weekday].lower()
    next_weekday = min(chance.randrange(5), today.weekday(), 4)
    following = today + timedelta(days=(next_weekday - today.weekday()) % 7 or 7)
    later = today + timedelta(days=chance.randrange(20, 300))
    month, number_of_day = month_name[later.month].lower(), ordinal(later.day)
    choices = (
        ("tomorrow", today + timedelta(days=1)),
        (f"on {name}", coming),
        (f"{month} the {number_of_day}", later),
        (f"next {day_name[next_weekday].lower()}", following),
        (f"the {number_of_day} of {month}", later),
        ("the day after tomorrow", today + timedelta(days=2)),
        (f"{name} please", coming),
        (f"i would like to come on {name}", coming),
        (f"how about {name}", coming),
        (f"on the {number_of_day} of {month} please", later),
    )
    words, day = choices[number % len(choices)]
    return Answer(words, day.isoformat())


def _account(number: int, chance: random.Random) -> Answer:
    """Six digits, one by one, in one breath or in two, with "oh" for zero now and then."""
    digits = [chance.randrange(10) for _ in range(6)]
    words = ["oh" if digit == 0 and number % 2 else _DIGITS[digit] for digit in digits]
    lead = ("", "it's ", "my number is ", "")[number % 4]
    middle = ", " if number % 3 == 1 else " "
    text = lead + " ".join(words[:3]) + middle + " ".join(words[3:])
    plainly = (
        " ".join(_DIGITS[digit] for digit in digits[:3]) + ", " + " ".join(_DIGITS[digit] for digit in digits[3:])
    )
    return Answer(text, "".join(map(str, digits)), plainly)
