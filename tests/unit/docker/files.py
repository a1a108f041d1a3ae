"""The files of docker/, read as their programs read them, as far as that goes without those programs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
DOCKER = ROOT / "docker"


class ComposeLoader(yaml.SafeLoader):
    """With the tag by which a second compose file takes something of the first one away."""


ComposeLoader.add_constructor("!reset", lambda loader, node: None)


def compose(name: str) -> dict[str, Any]:
    """A compose file, merged keys and anchors resolved."""
    document: dict[str, Any] = yaml.load((DOCKER / name).read_text(), ComposeLoader)
    return document


@dataclass(frozen=True, slots=True)
class Instruction:
    """One of a Dockerfile, continued lines joined."""

    word: str
    value: str


def dockerfile(text: str) -> list[list[Instruction]]:
    """The instructions of each stage; those before the first FROM are left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[list[Instruction]] = []
    for line in filter(str.strip, joined.splitlines()):
        word, _, value = line.strip().partition(" ")
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append(Instruction(word, value.strip()))
    return stages
