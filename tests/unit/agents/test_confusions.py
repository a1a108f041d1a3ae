"""What telephone recognisers write for what callers said: the answers must survive it."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest

from voicegw.agents.entities.dates import DateSlot
from voicegw.agents.entities.digits import DigitsSlot
from voicegw.agents.entities.times import TimeSlot
from voicegw.agents.entities.yes_no import YesNoSlot
from voicegw.agents.intents import IntentMatcher

MONDAY = datetime(2026, 3, 2, 10)


@pytest.mark.parametrize(
    ("heard", "digits"),
    [
        ("for to seven one nine six", "427196"),
        ("four too seven won nine sicks", "427196"),
        ("for two seven one nine six", "427196"),
        ("ate too tree for five six", "823456"),
        ("oh for two oh won won", "042011"),
        ("free five nigh one for ate", "359148"),
        ("the for two seven one nine six", "427196"),
        ("double for two seven won nine", "442719"),
        ("my number is for two seven one nine six please", "427196"),
    ],
)
def test_digits(heard: str, digits: str) -> None:
    parsed = DigitsSlot(6, 6).parse(heard, MONDAY)
    assert parsed is not None
    assert parsed.value == digits


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("the tuesday", date(2026, 3, 3)),
        ("and next tuesday", date(2026, 3, 10)),
        ("tuesdays", date(2026, 3, 3)),
        ("on the on wednesday", date(2026, 3, 4)),
        ("the third a march", date(2026, 3, 3)),
        ("march the third the", date(2026, 3, 3)),
    ],
)
def test_dates(heard: str, expected: date) -> None:
    parsed = DateSlot().parse(heard, MONDAY)
    assert parsed is not None
    assert parsed.value == expected


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("for thirty", time(16, 30)),
        ("to o'clock", time(14)),
        ("half past for", time(16, 30)),
        ("half passed three", time(15, 30)),
        ("ate thirty", time(8, 30)),
        ("at won o'clock", time(13)),
        ("quarter past to", time(14, 15)),
        ("for", time(16)),
        ("tree thirty", time(15, 30)),
    ],
)
def test_times(heard: str, expected: time) -> None:
    parsed = TimeSlot().parse(heard, MONDAY)
    assert parsed is not None
    assert parsed.value == expected


@pytest.mark.parametrize(("heard", "value"), [("know", False), ("yet", True), ("ya", True), ("yes um", True)])
def test_yes_no(heard: str, value: bool) -> None:
    parsed = YesNoSlot().parse(heard, MONDAY)
    assert parsed is not None
    assert parsed.value is value


INTENTS = IntentMatcher(
    {
        "book": ("i want to book an appointment", "make an appointment", "i need to see a doctor"),
        "hours": ("what are your opening hours", "when are you open"),
        "order": ("where is my order", "what is the status of my order"),
    }
)


@pytest.mark.parametrize(
    ("heard", "intent"),
    [
        ("i want to book and appointment", "book"),
        ("i'd like to cook an apartment", "book"),
        ("i want to look an appointments", "book"),
        ("book appointment", "book"),
        ("need to see the doctors", "book"),
        ("what are your open in hours", "hours"),
        ("went are you open", "hours"),
        ("where is my older", "order"),
        ("what's the stators of my order", "order"),
        ("um where's my order please", "order"),
        ("the weather is nice", None),
        ("hello there", None),
        ("i would like to the", None),
        ("", None),
    ],
)
def test_intents(heard: str, intent: str | None) -> None:
    found = INTENTS.match(heard)
    assert (found.name if found else None) == intent
