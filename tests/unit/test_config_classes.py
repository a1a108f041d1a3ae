"""When each key of the configuration counts: at once, for new calls or after a restart; and the documents agree."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from voicegw.config import Config
from voicegw.config_changes import covers
from voicegw.config_classes import AT_ONCE, NEW_CALLS, RESTART, Effect, effect_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
TABLES = (AT_ONCE, NEW_CALLS, RESTART)
NAMES = [name for table in TABLES for name in table]


def keys(kind: Any = Config, prefix: str = "") -> Iterator[str]:
    """Every key of the file, with those inside of lists."""
    for name, hint in get_type_hints(kind).items():
        listed = get_args(hint)[0] if get_origin(hint) is tuple else None
        if dataclasses.is_dataclass(hint):
            yield from keys(hint, f"{prefix}{name}.")
        elif dataclasses.is_dataclass(listed):
            yield from (f"{prefix}{name}", *keys(listed, f"{prefix}{name}[]."))
        else:
            yield prefix + name


def test_every_key_is_in_exactly_one_class() -> None:
    assert len(set(NAMES)) == len(NAMES), "a name is in two tables"
    for key in keys():
        assert effect_of(key) in Effect, f"{key} is in none of the tables of voicegw.config_classes"


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_one_of_the_file_and_decides_about_something(name: str) -> None:
    deciding = [key for key in keys() if covers(name, key)]
    assert deciding, f"there is no {name}"
    finer = [other for other in NAMES if other != name and covers(name, other)]
    assert any(not any(covers(other, key) for other in finer) for key in deciding), f"{name} decides nothing"


def test_the_most_exact_name_decides() -> None:
    assert effect_of("sip.listeners[3].deny") is Effect.AT_ONCE
    assert effect_of("sip.listeners[3].port") is effect_of("sip.listeners") is Effect.RESTART
    assert effect_of("media.full_busy") is Effect.AT_ONCE
    assert effect_of("media.port_low") is Effect.NEW_CALLS
    with pytest.raises(KeyError, match="nonsense"):
        effect_of("nonsense")


def told() -> Iterator[tuple[str, int]]:
    """The names in the table of docs/operations.md, each with its column."""
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text.partition("| section | at once | new calls | after a restart |\n|---|---|---|---|\n")[2]
    for row in table.partition("\n\n")[0].splitlines():
        section, *columns = (cell.strip() for cell in row.strip("|").split("|"))
        for index, cell in enumerate(columns):
            for name in re.findall(r"`([^`]+)`", cell):
                yield f"{section.strip('`')}.{name}", index
            if cell == "all" or cell == "all else":
                yield section.strip("`"), index


def test_the_documentation_says_the_same() -> None:
    assert set(told()) == {(name, column) for column, table in enumerate(TABLES) for name in table}
