"""Where recordings are read from. Plain files here; sealed ones are opened by whoever holds their keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from voicegw.base.errors import LocalError

_CHUNK_BYTES = 256 * 1024


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


class FileRecordings:
    """Files of one directory; nothing outside of it is read, whatever a fact says."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()

    async def size(self, path: str) -> int:
        """See :class:`Recordings`."""
        return await asyncio.to_thread(lambda: self._found(path).stat().st_size)

    async def read(self, path: str, start: int, length: int) -> AsyncIterator[bytes]:
        """See :class:`Recordings`."""
        file = await asyncio.to_thread(lambda: self._found(path).open("rb"))
        try:
            await asyncio.to_thread(file.seek, start)
            while length > 0 and (chunk := await asyncio.to_thread(file.read, min(length, _CHUNK_BYTES))):
                length -= len(chunk)
                yield chunk
        finally:
            file.close()

    def _found(self, path: str) -> Path:
        resolved = (self._directory / path).resolve()
        if not resolved.is_relative_to(self._directory) or not resolved.is_file():
            raise NoRecording("the file is not there any more")
        return resolved
