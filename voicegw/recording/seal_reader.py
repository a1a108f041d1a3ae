"""Reads recordings as the bytes of a WAV or Ogg file, from any position, whether they are sealed or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from voicegw.audio import wav_header
from voicegw.base.errors import LocalError
from voicegw.recording.seal_format import (
    MAGIC,
    MAX_HEADER_BYTES,
    TAG_BYTES,
    ChunkCipher,
    Content,
    SealDamaged,
    SealHeader,
    SealKeyMissing,
    is_sealed,
    parse_header,
)
from voicegw.recording.seal_kem import unwrap
from voicegw.recording.seal_keys import KeyRing


class RecordingReader(Protocol):
    """A recording as the bytes of an audio file, WAV or Opus in Ogg. Not thread-safe; close it."""

    @property
    def size(self) -> int:
        """Of the whole audio file, in bytes."""
        ...

    @property
    def complete(self) -> bool:
        """False for a sealed recording without its end mark: a crash cut it off, or somebody shortened it."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``, fewer at the end; raises SealDamaged."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def open_recording(path: Path, keys: KeyRing) -> RecordingReader:
    """Open a recording of either kind, by what is in it and not by its name.

    Raises SealKeyMissing, SealDamaged, or LocalError where the file cannot be read at all.
    """
    try:
        with path.open("rb") as file:
            sealed = is_sealed(file.read(len(MAGIC)))
        return SealedReader(path, keys) if sealed else PlainReader(path)
    except OSError as error:
        raise LocalError(f"{path}: {error.strerror}") from None


class PlainReader:
    """A recording that is not sealed; see :class:`RecordingReader`."""

    complete = True

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._fd, length, offset)

    def close(self) -> None:
        os.close(self._fd)


class SealedReader:
    """A sealed recording, decrypted chunk by chunk as it is read; see :class:`RecordingReader`.

    The size is that of the file at opening. One that is still being written has no end mark yet.
    """

    def __init__(self, path: Path, keys: KeyRing, *, data_key: bytes | None = None) -> None:
        """``data_key`` saves the search for a private key, for whoever has just made the file."""
        self._fd = os.open(path, os.O_RDONLY)
        try:
            self._header = parse_header(os.pread(self._fd, MAX_HEADER_BYTES, 0))
            self._cipher = ChunkCipher(data_key or open_header(self._header, keys), self._header)
            self._measure()
        except (SealDamaged, SealKeyMissing):
            os.close(self._fd)
            raise

    def _measure(self) -> None:
        """How many whole chunks there are, and whether the end mark is where it belongs."""
        header = self._header
        body = os.fstat(self._fd).st_size - header.size
        self._whole, rest = divmod(max(body, 0), header.chunk_bytes + TAG_BYTES)
        self._last = b""
        self.complete = False
        if rest >= TAG_BYTES:
            try:
                self._last = self._cipher.open(self._whole, self._sealed(self._whole), last=True)
                self.complete = True
            except SealDamaged:
                self._last = b""
        data = self._whole * header.chunk_bytes + len(self._last)
        is_pcm = header.content is Content.PCM
        self._head = wav_header.header(header.rate, header.channels, data) if is_pcm else b""
        self.size = len(self._head) + data

    def read(self, offset: int, length: int) -> bytes:
        """See :class:`RecordingReader`."""
        end = min(offset + max(length, 0), self.size)
        if not 0 <= offset < end:
            return b""
        out = [self._head[offset:end]]
        start = max(offset - len(self._head), 0)
        stop = end - len(self._head)
        chunk = self._header.chunk_bytes
        for number in range(start // chunk, -(-stop // chunk)):
            base = number * chunk
            out.append(self._plain(number)[max(start - base, 0) : stop - base])
        return b"".join(out)

    def close(self) -> None:
        """See :class:`RecordingReader`."""
        os.close(self._fd)

    def _plain(self, number: int) -> bytes:
        if number == self._whole:
            return self._last
        return self._cipher.open(number, self._sealed(number), last=False)

    def _sealed(self, number: int) -> bytes:
        size = self._header.chunk_bytes + TAG_BYTES
        return os.pread(self._fd, size, self._header.size + number * size)


def open_header(header: SealHeader, keys: KeyRing) -> bytes:
    """The data key; raises SealKeyMissing without a recipient's private key, SealDamaged if it does not fit."""
    found = False
    for wrapped in header.recipients:
        private_key = keys.get(wrapped.key_id)
        if private_key is None:
            continue
        found = True
        data_key = unwrap(wrapped, private_key, header.fixed)
        if data_key is not None:
            return data_key
    if found:
        raise SealDamaged("the data key of the sealed recording was changed")
    names = ", ".join(wrapped.key_id.hex() for wrapped in header.recipients) or "nobody"
    raise SealKeyMissing(f"the recording is sealed to {names}, and that private key is not here")
