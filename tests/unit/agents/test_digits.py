from __future__ import annotations

from datetime import datetime

import pytest

from voicegw.agents.entities.digits import DigitsSlot
from voicegw.agents.entities.slot import Digits, Parsed

NOW = datetime(2026, 3, 2, 10)
SIX = DigitsSlot(6, 6)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("four two seven one nine six", "427196"),
        ("double four two seven one nine", "442719"),
        ("triple seven one two three", "777123"),
        ("oh four two oh one one", "042011"),
        ("zero four two zero one one", "042011"),
        ("four twenty seven one nine six", "427196"),
        ("forty two seventy one ninety six", "427196"),
        ("nineteen eighty four twenty six", "198426"),
        ("four hundred and twenty seven one nine six", "427196"),
        ("one hundred two hundred", "100200"),
        ("four thousand two one", "400021"),
        ("four thousand twelve", "400012"),
        ("427196", "427196"),
        ("427 196", "427196"),
        ("4-2-7-1-9-6", "427196"),
        ("it's four two seven one nine six", "427196"),
        ("my account number is four two seven one nine six please", "427196"),
        ("um four two seven uh one nine six", "427196"),
        ("four two seven, and then one nine six", "427196"),
        ("four two seven one nine six that's right", "427196"),
        ("four two seven no four two eight one nine six", "428196"),
        ("four two seven one nine five sorry four two seven one nine six", "427196"),
        ("no it's four two eight one nine six", "428196"),
        ("four two seven", None),
        ("four two seven one nine six five", None),
        ("tuesday", None),
        ("", None),
    ],
)
def test_six_digits(text: str, digits: str | None) -> None:
    parsed = SIX.parse(text, NOW)
    assert (parsed.value if parsed else None) == digits


def test_one_run_of_the_right_length_is_found_but_not_certain() -> None:
    """The three digits of something else do not spoil the six that were asked for."""
    found = SIX.parse("in building one two my number is four two seven one nine six", NOW)
    assert found == Parsed(Digits("427196"), certain=False)


def test_length_bounds() -> None:
    slot = DigitsSlot(4, 8)
    assert slot.parse("one two three", NOW) is None
    assert slot.parse("one two three four", NOW) is not None
    assert slot.parse("one two three four five six seven eight nine", NOW) is None


def test_keys() -> None:
    assert SIX.parse_keys("427196", NOW) == Digits("427196")
    assert SIX.parse_keys("42719", NOW) is None
    assert SIX.parse_keys("42719*", NOW) is None
    assert SIX.keypad.max_digits == 6


def test_spoken_in_groups() -> None:
    assert SIX.spoken(Digits("427196")) == "4 2 7, 1 9 6"
    assert SIX.spoken(Digits("1234")) == "1 2 3 4"
    assert SIX.spoken(Digits("12345")) == "1 2 3, 4 5"


def test_complete_with_the_last_digit() -> None:
    assert SIX.is_complete("it's four two seven one nine six")
    assert not SIX.is_complete("four two seven one nine")
    assert not SIX.is_complete("")


def test_phrases_are_the_same_every_time_and_mostly_of_the_right_length() -> None:
    phrases = SIX.phrases()
    assert phrases == DigitsSlot(6, 6).phrases()
    assert len(phrases) > 50
    assert all(SIX.parse(phrase, NOW) is not None for phrase in phrases)
    assert {word for phrase in phrases for word in phrase.split()} >= {"oh", "double", "zero", "nine"}
