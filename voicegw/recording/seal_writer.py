"""One sealed recording as it is made: nothing of it is ever on the disk in plain, whatever kills the process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from voicegw.recording.layout import CHANNELS, FRAME_BYTES
from voicegw.recording.part_file import open_part, part_path
from voicegw.recording.seal_format import (
    CHUNK_BYTES,
    FILE_ID_BYTES,
    KEY_BYTES,
    MAX_RECIPIENTS,
    OGG_CHUNK_BYTES,
    PCAP_CHUNK_BYTES,
    ChunkCipher,
    Content,
    SealError,
    SealHeader,
)
from voicegw.recording.seal_kem import wrap
from voicegw.recording.seal_keys import SealPublicKey

SUFFIX: Final = ".sealed"
_CHUNK_BYTES: Final = {Content.PCM: CHUNK_BYTES, Content.OGG: OGG_CHUNK_BYTES, Content.PCAP: PCAP_CHUNK_BYTES}


def make_header(
    recipients: Sequence[SealPublicKey], rate: int, channels: int, content: Content = Content.PCM
) -> tuple[bytes, SealHeader]:
    """A new data key, and the header that gives it to the recipients; raises SealError without any, or with 256."""
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        raise SealError(f"a recording cannot be sealed to {len(recipients)} keys")
    data_key = os.urandom(KEY_BYTES)
    bare = SealHeader(os.urandom(FILE_ID_BYTES), (), rate, channels, _CHUNK_BYTES[content], content)
    wrapped = tuple(wrap(data_key, recipient, bare.fixed) for recipient in recipients)
    return data_key, SealHeader(bare.file_id, wrapped, rate, channels, bare.chunk_bytes, content)


class SealedPart:
    """A part file whose bytes are sealed; see :class:`voicegw.recording.part_file.PartFile`.

    The data key lives in this object only: once it is closed, nobody but the recipients can read what was written.
    """

    def __init__(
        self, path: str, recipients: Sequence[SealPublicKey], rate_hz: int, content: Content = Content.PCM
    ) -> None:
        """Create the folders and the file, ``path`` with ``.sealed`` behind it."""
        self.path = path + SUFFIX
        data_key, header = make_header(recipients, rate_hz, CHANNELS, content)
        self._cipher = ChunkCipher(data_key, header)
        self._chunk = header.chunk_bytes
        self._end = header.size
        self._chunks = 0
        self._waiting = bytearray()
        self._torn = False
        self._fd = open_part(self.path)
        try:
            self._write_at(0, header.to_bytes())
        except OSError:
            self.abandon()
            raise

    @property
    def size(self) -> int:
        """Plain bytes, those that wait for their chunk to fill included."""
        return self._chunks * self._chunk + len(self._waiting)

    def write(self, data: bytes) -> None:
        """Put bytes behind those that are there; they are on the disk once their chunk is full."""
        if self._torn:
            return
        self._waiting += data
        while len(self._waiting) >= self._chunk:
            self._write_chunk(bytes(self._waiting[: self._chunk]))
            del self._waiting[: self._chunk]

    def finish(self, *, sync: bool) -> None:
        """Seal the last chunk and give the file its final name, atomically; ``sync`` waits for the disk."""
        try:
            os.ftruncate(self._fd, self._end)  # no half-written chunk
            self._write_at(self._end, self._cipher.seal(self._chunks, bytes(self._waiting), last=True))
            if sync:
                os.fsync(self._fd)
            Path(part_path(self.path)).replace(self.path)
        finally:
            self.abandon()

    def discard(self) -> None:
        """Close the file and remove it."""
        try:
            Path(part_path(self.path)).unlink()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close and leave the ``.part`` file as it is."""
        os.close(self._fd)

    def _write_chunk(self, plain: bytes) -> None:
        sealed = self._cipher.seal(self._chunks, plain, last=False)
        try:
            self._write_at(self._end, sealed)
        except OSError:
            # The end mark has another nonce than this chunk, so it can still be written; there is room for its few
            # bytes where the torn chunk was.
            self._torn = True
            self._waiting.clear()
            raise
        self._end += len(sealed)
        self._chunks += 1

    def _write_at(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            view, offset = view[written:], offset + written


class SealedWavFile:
    """A sealed recording of samples; see :class:`voicegw.recording.writer.RecordingFile`."""

    def __init__(self, path: str, recipients: Sequence[SealPublicKey], rate_hz: int = 8000) -> None:
        """Create the folders and the file, ``path`` with ``.sealed`` behind it."""
        self._part = SealedPart(path, recipients, rate_hz)

    @property
    def path(self) -> str:
        """Its final name."""
        return self._part.path

    @property
    def samples(self) -> int:
        """Per channel, those that wait for their chunk to fill included."""
        return self._part.size // FRAME_BYTES

    def append(self, left: bytes, right: bytes) -> None:
        """Add equally long 16-bit mono stretches."""
        both = np.stack([np.frombuffer(left, "<i2"), np.frombuffer(right, "<i2")], axis=1)
        self._part.write(both.tobytes())

    def append_silence(self, samples: int) -> None:
        """Keep the timeline right where audio was lost."""
        missing = samples * FRAME_BYTES
        while missing:
            count = min(missing, CHUNK_BYTES)
            self._part.write(bytes(count))
            missing -= count

    def checkpoint(self) -> None:
        """Nothing to do: whole chunks can be read at any moment, and half a chunk cannot be sealed twice."""

    def finish(self, *, sync: bool) -> None:
        """Seal the last chunk and give the file its final name, atomically; ``sync`` waits for the disk."""
        self._part.finish(sync=sync)

    def discard(self) -> None:
        """Close the file and remove it."""
        self._part.discard()

    def abandon(self) -> None:
        """Close and leave the ``.part`` file as it is."""
        self._part.abandon()
