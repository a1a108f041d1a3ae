"""Recordings of a node, sealed or not, as WAV bytes: see :class:`voicegw.api.recordings.Recordings`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from voicegw.api.recordings import NoRecording
from voicegw.base.errors import LocalError
from voicegw.recording.seal_keys import KeyRing
from voicegw.recording.seal_reader import RecordingReader, open_recording

_log = logging.getLogger(__name__)

_CHUNK_BYTES = 256 * 1024


class SealedRecordings:
    """Opens each recording with the keys of this server; nothing outside of its directories is read."""

    def __init__(self, directory: Path | None, keys: KeyRing) -> None:
        """``directory``: None where nothing is recorded."""
        self._directories: tuple[Path, ...] = ()
        self.move(directory)
        self._keys = keys

    def move(self, directory: Path | None) -> None:
        """Recordings of calls to come are there; those elsewhere are read as before. Any thread may say so."""
        if directory is not None:
            self._directories = tuple(dict.fromkeys((directory.resolve(), *self._directories)))

    def use(self, keys: KeyRing) -> None:
        """Other keys for what is opened from now on. Any thread may say so."""
        self._keys = keys

    async def size(self, path: str) -> int:
        """Bytes of the WAV; raises NoRecording, also where this server has no key for it."""
        return await asyncio.to_thread(self._size, path)

    async def read(self, path: str, start: int, length: int) -> AsyncIterator[bytes]:
        """Some of its bytes; raises NoRecording. What was changed ends the stream short and is logged."""
        reader = await asyncio.to_thread(self._open, path)
        try:
            for at in range(start, start + length, _CHUNK_BYTES):
                yield await asyncio.to_thread(reader.read, at, min(_CHUNK_BYTES, start + length - at))
        except LocalError as error:
            _log.error("a recording is damaged: %s", error, extra={"path": path})
        finally:
            reader.close()

    def _size(self, path: str) -> int:
        reader = self._open(path)
        try:
            return reader.size
        finally:
            reader.close()

    def _open(self, path: str) -> RecordingReader:
        names = dict.fromkeys((path, Path(path).name))  # as it was stored, or moved to where recordings are now
        places = ((folder, (folder / name).resolve()) for name in names for folder in self._directories)
        found = (file for folder, file in places if file.is_relative_to(folder) and file.is_file())
        resolved = next(found, None)
        if resolved is None:
            raise NoRecording("the file is not there any more")
        try:
            return open_recording(resolved, self._keys)
        except LocalError as error:
            _log.warning("a recording cannot be opened: %s", error, extra={"path": path})
            raise NoRecording(str(error)) from None
