from __future__ import annotations

from datetime import datetime, time

import pytest

from voicegw.agents.entities.times import TimeSlot, spoken_time

NOW = datetime(2026, 3, 2, 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("three", "15:00"),
        ("eight", "08:00"),
        ("three o'clock", "15:00"),
        ("at three", "15:00"),
        ("three thirty", "15:30"),
        ("three fifteen", "15:15"),
        ("nine forty five", "09:45"),
        ("three oh five", "15:05"),
        ("half past three", "15:30"),
        ("half three", "15:30"),
        ("quarter past two", "14:15"),
        ("a quarter past two", "14:15"),
        ("quarter to nine", "08:45"),
        ("quarter to one", "12:45"),
        ("ten past four", "16:10"),
        ("twenty five to six", "17:35"),
        ("ten minutes to five", "16:50"),
        ("ten a m", "10:00"),
        ("ten a.m.", "10:00"),
        ("10 am", "10:00"),
        ("10:30 PM", "22:30"),
        ("three in the afternoon", "15:00"),
        ("three thirty in the afternoon", "15:30"),
        ("three in the morning", "03:00"),
        ("seven in the evening", "19:00"),
        ("seven", "07:00"),
        ("twelve", "12:00"),
        ("twelve thirty", "12:30"),
        ("twelve thirty a.m.", "00:30"),
        ("noon", "12:00"),
        ("at midday", "12:00"),
        ("midnight", "00:00"),
        ("15:30", "15:30"),
        ("fifteen thirty", "15:30"),
        ("sixteen hundred", "16:00"),
        ("no at four", "16:00"),
        ("at three no at four", "16:00"),
        ("tuesday at three", "15:00"),
        ("um about four thirty please", "16:30"),
        ("hello", None),
        ("sixty", None),
        ("", None),
    ],
)
def test_times(text: str, expected: str | None) -> None:
    parsed = TimeSlot().parse(text, NOW)
    assert (parsed.value if parsed else None) == (time.fromisoformat(expected) if expected else None)


def test_bounds_choose_between_morning_and_afternoon() -> None:
    evening = TimeSlot(time(17), time(23, 59))
    found = evening.parse("eight", NOW)
    assert found is not None
    assert found.value == time(20)


def test_keys_on_the_24_hour_clock() -> None:
    slot = TimeSlot()
    assert slot.parse_keys("1530", NOW) == time(15, 30)
    assert slot.parse_keys("930", NOW) == time(9, 30)
    assert slot.parse_keys("2460", NOW) is None
    assert slot.parse_keys("9", NOW) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (time(15, 30), "half past three in the afternoon"),
        (time(9, 15), "nine fifteen in the morning"),
        (time(12), "noon"),
        (time(0), "midnight"),
        (time(8, 5), "eight oh five in the morning"),
        (time(20), "eight o'clock in the evening"),
        (time(0, 30), "half past twelve in the morning"),
    ],
)
def test_spoken(value: time, words: str) -> None:
    assert spoken_time(value) == words


@pytest.mark.parametrize("text", ["half past three", "three thirty", "noon", "ten a.m.", "twelve thirty"])
def test_complete(text: str) -> None:
    assert TimeSlot().is_complete(text)


@pytest.mark.parametrize("text", ["", "half past", "three", "quarter to", "at", "three in the"])
def test_not_complete(text: str) -> None:
    assert not TimeSlot().is_complete(text)


def test_every_time_is_read_back_to_itself() -> None:
    slot = TimeSlot()
    for minute in range(0, 24 * 60, 5):
        value = time(minute // 60, minute % 60)
        found = slot.parse(slot.spoken(value), NOW)
        assert found is not None, value
        assert found.value == value


def test_phrases_are_understood() -> None:
    slot = TimeSlot()
    assert all(slot.parse(phrase, NOW) for phrase in slot.phrases())
