from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from voicegw.agents.entities.numbers import NumberSlot, spoken_number

NOW = datetime(2026, 3, 2, 10)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("zero", 0),
        ("seven", 7),
        ("twenty seven", 27),
        ("a hundred", 100),
        ("two hundred and five", 205),
        ("one thousand two hundred", 1200),
        ("twelve hundred", 1200),
        ("five hundred thousand", 500_000),
        ("two million and one", 2_000_001),
        ("three hundred twenty one thousand six hundred fifty four", 321_654),
        ("minus five", -5),
        ("a dozen", 12),
        ("a couple", 2),
        ("1,250", 1250),
        ("about forty please", 40),
        ("two no three", 3),
        ("there are five of us", 5),
        ("to", 2),
        ("for", 4),
        ("three point five", None),
        ("hello", None),
        ("", None),
    ],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    parsed = NumberSlot().parse(text, NOW)
    assert (parsed.value if parsed else None) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("three point five", "3.5"),
        ("zero point oh five", "0.05"),
        ("3.25", "3.25"),
        ("minus one point two", "-1.2"),
    ],
)
def test_decimals_where_they_are_allowed(text: str, number: str) -> None:
    parsed = NumberSlot(whole=False).parse(text, NOW)
    assert parsed is not None
    assert parsed.value == Decimal(number)


def test_bounds_choose_what_counts() -> None:
    slot = NumberSlot(Decimal(1), Decimal(5))
    found = slot.parse("ten no five", NOW)
    assert found is not None
    assert found.value == 5
    assert slot.parse("six", NOW) is None
    assert slot.parse_keys("5", NOW) == 5
    assert slot.parse_keys("6", NOW) is None
    assert slot.parse_keys("*", NOW) is None


def test_star_is_the_point_on_the_keypad() -> None:
    assert NumberSlot(whole=False).parse_keys("3*5", NOW) == Decimal("3.5")
    assert NumberSlot().parse_keys("3*5", NOW) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "zero"),
        (205, "two hundred and five"),
        (1200, "one thousand two hundred"),
        (1_000_001, "one million and one"),
        (-4, "minus four"),
        (Decimal("3.05"), "three point zero five"),
        (Decimal("-0.5"), "minus zero point five"),
    ],
)
def test_spoken(value: int | Decimal, words: str) -> None:
    assert spoken_number(value) == words


def test_complete_only_where_nothing_can_follow() -> None:
    slot = NumberSlot(Decimal(1), Decimal(50))
    assert slot.is_complete("twenty seven")
    assert not slot.is_complete("two")
    assert not slot.is_complete("twenty seven or")
    assert not NumberSlot().is_complete("two")


def test_phrases_are_understood() -> None:
    slot = NumberSlot(Decimal(1), Decimal(200))
    assert all(slot.parse(phrase, NOW) for phrase in slot.phrases())
