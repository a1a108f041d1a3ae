"""The pages, and how to take commands, links and names out of them."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "asterisk/**/*.md", "docker/**/*.md", "models/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[str]:
    """The fenced blocks of these languages; of all without any."""
    return [block for language, block in _FENCE.findall(text_of(page)) if not languages or language in languages]


def without_blocks(page: str) -> str:
    return _FENCE.sub("", text_of(page))


def anchors(page: str) -> set[str]:
    """What may stand behind # in a link to it, as GitHub makes it of headings."""
    made: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", without_blocks(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        repeated = sum(1 for one in made if one == name or re.fullmatch(rf"{re.escape(name)}-\d+", one))
        made.add(f"{name}-{repeated}" if repeated else name)
    return made


def code_spans(page: str) -> Iterator[str]:
    for line in without_blocks(page).splitlines():
        yield from re.findall(r"`([^`]+)`", line)


_CALL = re.compile(
    r"^(?:\$ )?(?:(?:docker compose .*\bexec \S+|kubectl exec \S+ --) |"
    r"(?:runuser -u \w+ -- |sudo (?:-u \w+ )?)?(?:[\w./~-]*/)?)"
    r"(?:voicegw|scripts/run)(?: +(.*))?$"
)
"""A line of shell that calls us: as itself, by its path, as another user, in a container."""


def command_lines(page: str) -> Iterator[list[str]]:
    """The words behind ``voicegw`` of each line that a reader would type."""
    for block in blocks(page, "", "sh", "bash", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(
                r"&&|;|\|", re.sub(r" # .*| {4,}.*", "", re.sub(r"\$\([^)]*\)", "X", line.strip()))
            ):
                if found := _CALL.match(part.strip()):
                    yield shlex.split(re.sub(r" >.*", "", found[1] or ""))


def command_for(words: list[str], parser: argparse.ArgumentParser) -> tuple[argparse.ArgumentParser, list[str]]:
    """The parser of the command and subcommand that ``words`` begin with, and the words that are left."""
    rest = list(words)
    while rest:
        below = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        if not below or rest[0] not in below[0].choices:
            break
        parser = below[0].choices[rest.pop(0)]
    return parser, rest
