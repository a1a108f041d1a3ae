"""One stereo recording on disk, which is a valid WAV at any moment, whatever kills the process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import numpy as np

from voicegw.audio import wav_header
from voicegw.recording.layout import CHANNELS, FRAME_BYTES
from voicegw.recording.part_file import open_part, part_path

_SILENCE: Final = bytes(64 * 1024)


class StereoWavFile:
    """An open ``.part`` file. Every method may raise OSError; the file stays closable after that.

    It is locked (flock) while open, so that a recovery by another process leaves it alone.
    """

    def __init__(self, path: str, rate_hz: int = 8000) -> None:
        """Create the folders and the file, with a header for no samples."""
        self.path = path
        self._rate_hz = rate_hz
        self.samples = 0
        self._fd = open_part(path)
        try:
            self._write(wav_header.header(rate_hz, CHANNELS, 0))
        except OSError:
            self.abandon()
            raise

    def append(self, left: bytes, right: bytes) -> None:
        """Add equally long 16-bit mono stretches; the header follows with :meth:`checkpoint`."""
        both = np.stack([np.frombuffer(left, "<i2"), np.frombuffer(right, "<i2")], axis=1)
        self._write(both.tobytes())
        self.samples += len(both)

    def append_silence(self, samples: int) -> None:
        """Keep the timeline right where audio was lost."""
        for start in range(0, samples, len(_SILENCE) // FRAME_BYTES):
            count = min(samples - start, len(_SILENCE) // FRAME_BYTES)
            self._write(_SILENCE[: count * FRAME_BYTES])
            self.samples += count

    def checkpoint(self) -> None:
        """Make the header say what is in the file."""
        os.pwrite(self._fd, wav_header.header(self._rate_hz, CHANNELS, self.samples * FRAME_BYTES), 0)

    def finish(self, *, sync: bool) -> None:
        """Write the last header and give the file its final name, atomically; ``sync`` waits for the disk."""
        try:
            os.ftruncate(self._fd, wav_header.HEADER_BYTES + self.samples * FRAME_BYTES)  # no half-written block
            self.checkpoint()
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

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:  # a disk that is nearly full takes a part first and refuses only the next write
            view = view[os.write(self._fd, view) :]
