"""The folder of models: what is there, whether it is whole, and how a file gets in."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import IO

from voicegw.base.errors import LocalError, ProviderError
from voicegw.inference.models.manifest import Model, ModelFile
from voicegw.inference.models.sources import PIECE_BYTES, Source

ATTEMPTS = 4
"""A connection that breaks is taken up where it broke so often before the pull fails."""

OnProgress = Callable[[ModelFile, int], None]
"""Called with the file and how many of its bytes are there."""


class State(Enum):
    """What is there of a model, by the sizes of its files."""

    MISSING = "missing"
    PARTIAL = "partial"
    COMPLETE = "complete"


class ModelStore:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def state(self, model: Model) -> State:
        """A quick look: sizes, no checksums."""
        whole = [_size(model.path(self.folder, file)) == file.size for file in model.files]
        if all(whole):
            return State.COMPLETE
        begun = [bool(_size(part_of(model.path(self.folder, file)))) for file in model.files]
        return State.PARTIAL if any(whole) or any(begun) else State.MISSING

    def faults(self, model: Model) -> list[str]:
        """What is wrong with the files of a model, read to the last byte; nothing if they are as they should be."""
        found = (_fault(model.path(self.folder, file), file) for file in model.files)
        return [fault for fault in found if fault]

    def pull(self, model: Model, source: Source, on_progress: OnProgress) -> int:
        """Bring in what is missing or wrong; returns how many files came.

        A file appears under its name only when its checksum is right; what broke off goes on where it was.
        Raises LocalError (disk), ProviderError (mirror).
        """
        wanted = [file for file in model.files if _fault(model.path(self.folder, file), file)]
        try:
            self._make_room(model, wanted)
            for file in wanted:
                _fetch(model, file, model.path(self.folder, file), source, on_progress)
        except OSError as error:
            raise LocalError(f"cannot write to {self.folder}: {error.strerror or error}") from error
        return len(wanted)

    def _make_room(self, model: Model, wanted: list[ModelFile]) -> None:
        (self.folder / model.folder).mkdir(parents=True, exist_ok=True)
        there = sum(_size(part_of(model.path(self.folder, file))) or 0 for file in wanted)
        needed = sum(file.size for file in wanted) - there
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            mega = 1_000_000
            raise LocalError(
                f"{model.name} needs {needed // mega} MB, and {self.folder} has {free // mega} MB left"
            )


def part_of(path: Path) -> Path:
    """Where a file grows before it is whole."""
    return path.with_name(f"{path.name}.part")


def _fetch(model: Model, file: ModelFile, path: Path, source: Source, on_progress: OnProgress) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    with part.open("ab") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError(f"another pull is writing {part}") from None
        _fill(out, model, file, source, on_progress)
        out.flush()
        os.fsync(out.fileno())
        if fault := _fault(part, file):
            part.unlink()
            raise ProviderError("mirror", f"what came is not {model.name}: {fault}", retryable=False)
        part.replace(path)


def _fill(out: IO[bytes], model: Model, file: ModelFile, source: Source, on_progress: OnProgress) -> None:
    """Append until the size is right; takes up a broken download as often as ATTEMPTS says."""
    for attempt in range(1, ATTEMPTS + 1):
        if out.tell() > file.size:
            out.truncate(0)
            out.seek(0)
        try:
            if out.tell() < file.size or not file.size:
                _append(out, model, file, source, on_progress)
        except ProviderError as error:
            if attempt == ATTEMPTS or not error.retryable:
                raise
            continue
        if out.tell() >= file.size:
            return
    message = f"{file.name} of {model.name} ends after {out.tell()} of {file.size} bytes"
    raise ProviderError("mirror", message, retryable=True)


def _append(out: IO[bytes], model: Model, file: ModelFile, source: Source, on_progress: OnProgress) -> None:
    with source.open(model, file, out.tell()) as download:
        if download.offset != out.tell():
            out.truncate(download.offset)
            out.seek(download.offset)
        for piece in download.pieces:
            out.write(piece)
            on_progress(file, out.tell())
            if out.tell() > file.size:
                return


def _fault(path: Path, file: ModelFile) -> str:
    """What is wrong with a file; empty if nothing is."""
    size = _size(path)
    if size is None:
        return f"{path} is missing"
    if size != file.size:
        return f"{path} has {size} bytes instead of {file.size}"
    digest = hashlib.sha256()
    try:
        with path.open("rb") as opened:
            for piece in iter(lambda: opened.read(PIECE_BYTES), b""):
                digest.update(piece)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return "" if digest.hexdigest() == file.sha256 else f"{path} has the wrong checksum"


def _size(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_size
    return None
