"""The table of promises names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "tests" / "scenarios"
NAMED = re.findall(r"`(\S+\.py)::(test_\w+)`", (SCENARIOS / "README.md").read_text())


def test_the_table_is_read() -> None:
    assert len(NAMED) > 50


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_a_promise_has_its_test(file: str, name: str) -> None:
    path = ROOT / file if "/" in file else SCENARIOS / file
    assert f"def {name}(" in path.read_text()
