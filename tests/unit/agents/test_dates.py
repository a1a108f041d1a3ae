from __future__ import annotations

from datetime import date, datetime

import pytest

from voicegw.agents.entities.dates import DateSlot, spoken_date

TUESDAY = datetime(2026, 3, 3, 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", "2026-03-03"),
        ("tomorrow", "2026-03-04"),
        ("tomorrow please", "2026-03-04"),
        ("the day after tomorrow", "2026-03-05"),
        ("friday", "2026-03-06"),
        ("on friday", "2026-03-06"),
        ("this friday", "2026-03-06"),
        ("tuesday", "2026-03-10"),
        ("this tuesday", "2026-03-03"),
        ("next tuesday", "2026-03-10"),
        ("next friday", "2026-03-13"),
        ("next week", "2026-03-10"),
        ("monday next week", "2026-03-09"),
        ("next week on monday", "2026-03-09"),
        ("a week on friday", "2026-03-13"),
        ("a week from today", "2026-03-10"),
        ("in a week", "2026-03-10"),
        ("in three days", "2026-03-06"),
        ("in two weeks", "2026-03-17"),
        ("the fifth", "2026-03-05"),
        ("the second", "2026-04-02"),
        ("the thirty first", "2026-03-31"),
        ("the third of march", "2026-03-03"),
        ("march third", "2026-03-03"),
        ("march the fourth", "2026-03-04"),
        ("the second of march", "2027-03-02"),
        ("tuesday the tenth of march", "2026-03-10"),
        ("may first", "2026-05-01"),
        ("the first of may", "2026-05-01"),
        ("december twenty fifth", "2026-12-25"),
        ("25 december", "2026-12-25"),
        ("March 5th", "2026-03-05"),
        ("february twenty ninth", "2028-02-29"),
        ("march fifth twenty twenty seven", "2027-03-05"),
        ("the fifth of march two thousand and twenty seven", "2027-03-05"),
        ("2026-04-05", "2026-04-05"),
        ("no wednesday", "2026-03-04"),
        ("tuesday no wednesday", "2026-03-04"),
        ("friday, sorry, thursday", "2026-03-05"),
        ("sunday's fine", "2026-03-08"),
        ("wednesdays are best", "2026-03-04"),
        ("how about the twelfth", "2026-03-12"),
        ("may i ask something", None),
        ("the thirty second of march", None),
        ("march", None),
        ("yesterday", None),
        ("hello", None),
        ("", None),
    ],
)
def test_days(text: str, expected: str | None) -> None:
    parsed = DateSlot().parse(text, TUESDAY)
    assert (parsed.value if parsed else None) == (date.fromisoformat(expected) if expected else None)


def test_what_is_over_needs_leave() -> None:
    assert DateSlot().parse("2026-03-01", TUESDAY) is None
    found = DateSlot(past=True).parse("2026-03-01", TUESDAY)
    assert found is not None
    assert found.value == date(2026, 3, 1)


def test_next_friday_on_a_saturday_is_the_coming_one() -> None:
    found = DateSlot().parse("next friday", datetime(2026, 3, 7))
    assert found is not None
    assert found.value == date(2026, 3, 13)


def test_keys_are_day_and_month() -> None:
    slot = DateSlot()
    assert slot.parse_keys("0503", TUESDAY) == date(2026, 3, 5)
    assert slot.parse_keys("0203", TUESDAY) == date(2027, 3, 2)
    assert slot.parse_keys("3203", TUESDAY) is None
    assert slot.parse_keys("05", TUESDAY) is None


def test_spoken() -> None:
    assert spoken_date(date(2026, 3, 3)) == "Tuesday the third of March"
    assert spoken_date(date(2026, 12, 31)) == "Thursday the thirty first of December"


@pytest.mark.parametrize("text", ["tuesday", "march third", "the third of march", "tomorrow", "next friday"])
def test_complete(text: str) -> None:
    assert DateSlot().is_complete(text)


@pytest.mark.parametrize(
    "text", ["", "next", "the third of", "tuesday the", "march", "tuesday march", "the twenty"]
)
def test_not_complete(text: str) -> None:
    assert not DateSlot().is_complete(text)


def test_phrases_are_understood_and_read_back_to_the_same_day() -> None:
    slot = DateSlot()
    for phrase in slot.phrases():
        found = slot.parse(phrase, TUESDAY)
        assert found is not None, phrase
        again = slot.parse(slot.spoken(found.value), TUESDAY)
        assert again is not None
        assert again.value == found.value, phrase
