"""One stereo recording on disk, which is a valid WAV at any moment, whatever kills the process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

import numpy as np

from voicegw.audio import wav
from voicegw.recording.seal_format import MAX_HEADER_BYTES, TAG_BYTES, SealDamaged, is_sealed, parse_header

RATES: Final = (8000, 16000)
"""At which calls are mixed, hertz."""
CHANNELS: Final = 2
_FRAME_BYTES: Final = 2 * CHANNELS
_SILENCE: Final = bytes(64 * 1024)
_MODE: Final = 0o640


def part_path(path: str) -> str:
    """Where the recording lives until it is complete."""
    return path + ".part"


class StereoWavFile:
    """An open ``.part`` file. Every method may raise OSError; the file stays closable after that.

    It is locked (flock) while open, so that :func:`recover_partial` of another process leaves it alone.
    """

    def __init__(self, path: str, rate_hz: int = 8000) -> None:
        """Create the folders and the file, with a header for no samples."""
        self.path = path
        self._rate_hz = rate_hz
        self.samples = 0
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(part_path(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, _MODE)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write(wav.header(rate_hz, CHANNELS, 0))
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
        for start in range(0, samples, len(_SILENCE) // _FRAME_BYTES):
            count = min(samples - start, len(_SILENCE) // _FRAME_BYTES)
            self._write(_SILENCE[: count * _FRAME_BYTES])
            self.samples += count

    def checkpoint(self) -> None:
        """Make the header say what is in the file."""
        os.pwrite(self._fd, wav.header(self._rate_hz, CHANNELS, self.samples * _FRAME_BYTES), 0)

    def finish(self, *, sync: bool) -> None:
        """Write the last header and give the file its final name, atomically; ``sync`` waits for the disk."""
        try:
            os.ftruncate(self._fd, wav.HEADER_BYTES + self.samples * _FRAME_BYTES)  # no half-written block
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


def recover_partial(directory: str) -> list[str]:
    """Finish what a killed process left in ``directory`` and below; returns the new names.

    The header is corrected to the size of the file; sealed ones are complete up to their last chunk. Files that a
    living process writes, that are no recording of ours, or that cannot be changed stay as they are; recordings
    without a sample are removed.
    """
    recovered = []
    for part in sorted(Path(directory).rglob("*.part")):
        try:
            final = _recover(part)
        except (OSError, SealDamaged):  # read-only or locked by its writer: a later start may have more luck
            continue
        if final is not None:
            recovered.append(str(final))
    return recovered


def _recover(part: Path) -> Path | None:
    with part.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = part.stat().st_size
        head = file.read(wav.HEADER_BYTES)
        if is_sealed(head):
            return _keep_sealed(part)
        rate_hz = next((rate for rate in RATES if _same_format(head, wav.header(rate, CHANNELS, 0))), 0)
        if not rate_hz:
            return None
        data = (size - wav.HEADER_BYTES) // _FRAME_BYTES * _FRAME_BYTES
        if data == 0:
            part.unlink()
            return None
        file.truncate(wav.HEADER_BYTES + data)
        file.seek(0)
        file.write(wav.header(rate_hz, CHANNELS, data))
        final = _free_name(part.with_suffix(""))
        part.rename(final)
        return final


def _same_format(head: bytes, ours: bytes) -> bool:
    """Whether two headers differ in nothing but the sizes."""
    return head[:4] + head[8:40] == ours[:4] + ours[8:40]


def _keep_sealed(part: Path) -> Path | None:
    """Without the data key, which died with its process, a sealed recording can only get its name: it stays without
    an end mark, and readers say so."""
    with part.open("rb") as file:
        header = parse_header(file.read(MAX_HEADER_BYTES))
    if part.stat().st_size <= header.size + TAG_BYTES:
        part.unlink()
        return None
    final = _free_name(part.with_suffix(""))
    part.rename(final)
    return final


def _free_name(path: Path) -> Path:
    """``path``, or a name beside it if that is taken: a recovery never replaces a finished recording."""
    candidate, number = path, 0
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}.recovered-{number}{path.suffix}")
    return candidate
