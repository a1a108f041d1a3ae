from __future__ import annotations

from datetime import datetime

import pytest

from voicegw.agents.entities.choice import ChoiceSlot
from voicegw.agents.entities.text import TextSlot

NOW = datetime(2026, 3, 2, 10)
COLOURS = ChoiceSlot({"red": ("crimson", "scarlet"), "dark_blue": ("navy",), "green": ()})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("red", "red"),
        ("the red one please", "red"),
        ("i'd like crimson", "red"),
        ("dark blue", "dark_blue"),
        ("navy", "dark_blue"),
        ("greene", "green"),
        ("the second one", "dark_blue"),
        ("number three", "green"),
        ("option one", "red"),
        ("the fourth one", None),
        ("purple", None),
        ("", None),
    ],
)
def test_options(text: str, value: str | None) -> None:
    parsed = COLOURS.parse(text, NOW)
    assert (parsed.value if parsed else None) == value


def test_keys_spoken_phrases_complete() -> None:
    assert COLOURS.parse_keys("2", NOW) == "dark_blue"
    assert COLOURS.parse_keys("4", NOW) is None
    assert COLOURS.keypad.hint == "press 1 for red, press 2 for dark blue, or press 3 for green"
    assert COLOURS.spoken("dark_blue") == "dark blue"
    assert "the navy" in COLOURS.phrases()
    assert COLOURS.is_complete("dark blue please")
    assert not COLOURS.is_complete("dark")


def test_text_is_what_was_said() -> None:
    slot = TextSlot(("the food",))
    parsed = slot.parse("  the   waiting time ", NOW)
    assert parsed is not None
    assert parsed.value == "the waiting time"
    assert slot.parse("  ", NOW) is None
    assert slot.parse_keys("1", NOW) is None
    assert slot.phrases() == ("the food",)
    assert slot.keypad.max_digits == 0
    assert not slot.is_complete("the food")
