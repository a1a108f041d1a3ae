"""The instructions of a Dockerfile. Python's own library alone is needed: ``scripts/check-image`` has no more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCKER = ROOT / "docker"


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
