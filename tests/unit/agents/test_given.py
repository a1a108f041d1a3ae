"""What a call that is ordered may tell a script."""

from __future__ import annotations

from decimal import Decimal

import pytest

from voicegw.agents.flow_model import FlowFile
from voicegw.agents.given import told, why_not

SCRIPT = FlowFile.model_validate(
    {
        "name": "survey",
        "variables": {"order": "", "tries": 3, "vip": False, "limit": 1.5, "key": {"env": "KEY", "default": ""}},
        "steps": [{"say": "{order}"}],
    }
)


def test_values_are_of_the_kind_that_the_script_declares() -> None:
    known = {"order": "4711", "tries": "5", "vip": "Yes", "limit": "2.25", "found": "by a look-up"}
    assert told(SCRIPT, known) == {"order": "4711", "tries": 5, "vip": True, "limit": Decimal("2.25")}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ordr", "1", "order"),
        ("key", "stolen", "no variable 'key'"),
        ("tries", "many", "begins as 3"),
        ("tries", "2.5", "begins as 3"),
        ("vip", "perhaps", "no value"),
        ("limit", "NaN", "no value"),
        ("limit", "x", "no value"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_reason(name: str, value: str, reason: str) -> None:
    assert reason in why_not(SCRIPT, name, value)
    assert name not in told(SCRIPT, {name: value})


def test_what_can_be_told() -> None:
    assert why_not(SCRIPT, "order", "") == ""
