"""A file that grows at its end and has its final name only when it is complete."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final, Protocol

_MODE: Final = 0o640


def part_path(path: str) -> str:
    """Where the recording lives until it is complete."""
    return path + ".part"


class PartFile(Protocol):
    """An open ``.part`` file, locked while open. Every method may raise OSError; it stays closable after that."""

    @property
    def path(self) -> str:
        """Its final name."""
        ...

    def write(self, data: bytes) -> None:
        """Put bytes behind those that are there."""
        ...

    def finish(self, *, sync: bool) -> None:
        """Give the file its final name, atomically, and close it; ``sync`` waits for the disk."""
        ...

    def discard(self) -> None:
        """Close the file and remove it."""
        ...

    def abandon(self) -> None:
        """Close and leave the ``.part`` file as it is."""
        ...


def open_part(path: str) -> int:
    """Create the folders and the ``.part`` file of ``path``, empty and locked (flock); returns its descriptor."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(part_path(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, _MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


class PlainPart:
    """A part file of what is written, as it is; see :class:`PartFile`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = open_part(path)

    def write(self, data: bytes) -> None:
        """See :class:`PartFile`."""
        view = memoryview(data)
        while view:  # a disk that is nearly full takes a part first and refuses only the next write
            view = view[os.write(self._fd, view) :]

    def finish(self, *, sync: bool) -> None:
        """See :class:`PartFile`."""
        try:
            if sync:
                os.fsync(self._fd)
            Path(part_path(self.path)).replace(self.path)
        finally:
            self.abandon()

    def discard(self) -> None:
        """See :class:`PartFile`."""
        try:
            Path(part_path(self.path)).unlink()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """See :class:`PartFile`."""
        os.close(self._fd)
