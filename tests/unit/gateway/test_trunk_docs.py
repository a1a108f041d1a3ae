"""docs/trunks.md names every key of a trunk, and no other; its examples are trunks."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from voicegw.gateway.trunk_files import parse_trunk
from voicegw.gateway.trunk_settings import TrunkFile

TEXT = (Path(__file__).parents[3] / "docs" / "trunks.md").read_text(encoding="utf-8")


def keys() -> set[str]:
    found = {"host"}
    for name, field in TrunkFile.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            found |= {f"{name}.{key}" for key in section.model_fields}
        else:
            found.add(name)
    return found


def test_every_key_is_told() -> None:
    rows = TEXT.partition("## Every key")[2].splitlines()
    told = {key for row in rows if row.startswith("| `") for key in re.findall(r"`([^`]+)`", row.split("|")[1])}
    assert told == keys()


def test_the_examples_are_trunks() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        parse_trunk(example, "docs/trunks.md")
