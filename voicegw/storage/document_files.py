"""Dialplans and agents as files and as documents: which file is which document, and what has changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

AGENT = "agent"
DIALPLAN = "dialplan"
SUFFIX = ".yaml"
_AGENTS = "agents"


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """The name of a document."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What an import has to do: contents to save, and documents whose file is gone."""

    changed: Mapping[DocumentKey, bytes]
    gone: tuple[DocumentKey, ...]


def key_of(path: PurePosixPath) -> DocumentKey | None:
    """The document of a file: ``agents/NAME.yaml`` or ``NAME.yaml`` for a dialplan; None: it is none."""
    if path.suffix != SUFFIX or path.name.startswith("."):
        return None
    if path.parent == PurePosixPath(_AGENTS):
        return DocumentKey(AGENT, path.stem)
    return DocumentKey(DIALPLAN, path.stem) if path.parent == PurePosixPath() else None


def path_of(key: DocumentKey) -> PurePosixPath:
    """The file of a document; the opposite of :func:`key_of`."""
    folder = PurePosixPath(_AGENTS) if key.kind == AGENT else PurePosixPath()
    return folder / f"{key.name}{SUFFIX}"


def changes(
    files: Mapping[DocumentKey, bytes], latest: Mapping[DocumentKey, bytes], from_files: Iterable[DocumentKey]
) -> Changes:
    """Compare files with the latest versions; ``from_files`` are documents in force that came from a file."""
    changed = {key: content for key, content in files.items() if latest.get(key) != content}
    return Changes(changed, tuple(key for key in from_files if key not in files))
