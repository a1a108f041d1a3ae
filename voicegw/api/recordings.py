"""Where recordings are read from: what the routes need of whoever holds the files and their keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from voicegw.base.errors import LocalError


class NoRecording(LocalError):
    """The file is gone, or lies where none may lie."""


class Recordings(Protocol):
    """Reads recordings by the path that their fact names."""

    async def size(self, path: str) -> int:
        """Bytes of the audio file; raises :class:`NoRecording`."""
        ...

    def read(self, path: str, start: int, length: int) -> AsyncIterator[bytes]:
        """Some of its bytes; fewer when the file has become shorter."""
        ...
