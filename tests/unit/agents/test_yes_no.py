from __future__ import annotations

from datetime import datetime

import pytest

from voicegw.agents.entities.yes_no import NO, YES, YesNoSlot

NOW = datetime(2026, 3, 2, 10)


@pytest.mark.parametrize("text", [*YES, "yes um yes", "oh yes", "yeah sure", "Yes, please.", "that's perfect"])
def test_yes(text: str) -> None:
    parsed = YesNoSlot().parse(text, NOW)
    assert parsed is not None
    assert parsed.value is True


@pytest.mark.parametrize(
    "text",
    [*NO, "no wednesday", "no that's right not wrong", "yes that's not right", "i would not", "that isn't right"],
)
def test_no(text: str) -> None:
    parsed = YesNoSlot().parse(text, NOW)
    assert parsed is not None
    assert parsed.value is False


@pytest.mark.parametrize("text", ["", "hello", "tuesday", "four two seven"])
def test_neither(text: str) -> None:
    assert YesNoSlot().parse(text, NOW) is None


def test_certain_only_if_it_is_the_whole_answer() -> None:
    slot = YesNoSlot()
    certain = {text: parsed.certain for text in ("no", "no wednesday") if (parsed := slot.parse(text, NOW))}
    assert certain == {"no": True, "no wednesday": False}


def test_keys() -> None:
    slot = YesNoSlot()
    assert [slot.parse_keys(key, NOW) for key in "123"] == [True, False, None]
    assert slot.spoken(True) == "yes"


def test_complete() -> None:
    assert YesNoSlot().is_complete("yes that's right")
    assert not YesNoSlot().is_complete("no on")
