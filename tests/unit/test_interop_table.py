"""The table of interop rows names tests that exist, and leaves no row out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TABLE = (TESTS / "interop" / "INTEROP.md").read_text()
ROWS = 48
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TABLE)))


@cache
def functions(path: str) -> frozenset[str]:
    """The test functions of a file; none where there is no such file."""
    file = TESTS / path
    return (
        frozenset(re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE))
        if file.exists()
        else frozenset()
    )


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    assert name in functions(path)


def test_every_row_is_there_once() -> None:
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", TABLE, re.MULTILINE)] == list(range(1, ROWS + 1))
