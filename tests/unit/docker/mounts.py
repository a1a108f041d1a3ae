"""What a service of a compose file finds at which path, and what has to be made before it is started."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tests.unit.docker.dockerfile import DOCKER, ROOT


@dataclass(frozen=True, slots=True)
class Mount:
    """``source`` is a path of this repository; None for a volume of Docker's own and a file system in memory."""

    target: PurePosixPath
    source: Path | None
    is_read_only: bool


def mounts(document: dict[str, Any], service: str) -> list[Mount]:
    """Volumes, secrets and file systems in memory of a service."""
    body = document["services"][service]
    found: list[Mount] = []
    for volume in body.get("volumes", ()):
        source, target, *mode = volume.split(":")
        place = (DOCKER / source).resolve() if source.startswith(".") else None
        found.append(Mount(PurePosixPath(target), place, mode == ["ro"]))
    for name in body.get("secrets", ()):
        place = (DOCKER / document["secrets"][name]["file"]).resolve()
        found.append(Mount(PurePosixPath("/run/secrets") / name, place, True))
    for memory in body.get("tmpfs", ()):
        found.append(Mount(PurePosixPath(memory.partition(":")[0]), None, False))
    return found


def without_a_place(found: list[Mount]) -> list[str]:
    """Mount points in a read-only directory of the repository that lacks them: nobody could make them there."""
    outer = [one for one in found if one.source is not None and one.is_read_only and one.source.is_dir()]
    return [
        f"{inner.target} in {one.target}"
        for one in outer
        for inner in found
        if one.source is not None and one.target in inner.target.parents
        if not (one.source / inner.target.relative_to(one.target)).exists()
    ]


def made_first() -> dict[Path, str]:
    """Files that docs/docker.md tells to make, and by which command."""
    text = (ROOT / "docs" / "docker.md").read_text()
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (block,) = (one for one in blocks if one.startswith("cd docker\n"))
    commands = re.findall(r"([^;(\n]+?(?:>|touch) ?([\w./]+))(?=[;)\s])", block)
    return {(DOCKER / path).resolve(): command.strip() for command, path in commands}
