"""Facts on disk until the database has them: append-only segment files in one directory, owned by one process.

A record is its length and CRC-32 (big-endian, 4 bytes each) and a msgpack body. A process never appends to a
segment of an earlier one, so a torn record can only be the last of its segment, and reading a segment ends there.
Segments are deleted whole, and are young: what the database has must not stay here for long, because here nothing
can be erased. A reader that begins again repeats records, and whoever takes them must recognise that.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import msgspec

from voicegw.base.durable import sync_directory, write_whole
from voicegw.base.errors import LocalError
from voicegw.base.ids import RandomBytes, token

log = logging.getLogger(__name__)

SEGMENT_BYTES = 4 * 1024 * 1024
SEGMENT_S = 10.0
"""A segment is added to for so long."""
_HEADER = 8
_SUFFIX = ".spool"


class SpooledFact(msgspec.Struct, frozen=True, array_like=True):
    """One fact on its way. ``content`` is its entry as JSON, ``salt`` what its commitment is made with."""

    call_id: str
    seq: int
    kind: str
    wall_ms: int
    salt: bytes
    content: bytes


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the spool: the number of a segment and a byte in it."""

    segment: int
    offset: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SpooledFact)


def pack(fact: SpooledFact) -> bytes:
    """The record of a fact."""
    body = _encoder.encode(fact)
    return len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body


def unpack(data: bytes) -> Iterator[tuple[SpooledFact, int]]:
    """Each whole record of ``data`` and the offset behind it; ends at the first that is torn or damaged."""
    offset = 0
    while offset + _HEADER <= len(data):
        length = int.from_bytes(data[offset : offset + 4], "big")
        check = int.from_bytes(data[offset + 4 : offset + _HEADER], "big")
        body = data[offset + _HEADER : offset + _HEADER + length]
        if len(body) < length or zlib.crc32(body) != check:
            return
        offset += _HEADER + length
        try:
            fact = _decoder.decode(body)
        except msgspec.DecodeError:
            return
        yield fact, offset


class SpoolDirectory:
    """The directory: its lock, the name of its node, its segments. One process at a time."""

    def __init__(self, path: Path, random: RandomBytes = os.urandom) -> None:
        """Take the directory; raises LocalError where another process has it or it cannot be written to."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(path / "lock")
            try:
                self.node = self._node_name(random)
            except OSError:
                self._lock.close()
                raise
        except BlockingIOError:
            raise LocalError(f"the spool {path} belongs to another process") from None
        except OSError as error:
            raise LocalError(f"the spool {path} cannot be used: {error.strerror}") from None

    def segments(self) -> list[int]:
        """The numbers of all segments, in order."""
        return sorted(int(one.stem) for one in self.path.glob(f"*{_SUFFIX}") if one.stem.isdigit())

    def segment(self, number: int) -> Path:
        """The file of a segment."""
        return self.path / f"{number:010d}{_SUFFIX}"

    def size(self) -> int:
        """Bytes in all segments."""
        return sum(_size(self.segment(number)) for number in self.segments())

    def read(self, at: Position, until: Position, limit: int) -> tuple[list[SpooledFact], Position]:
        """At most ``limit`` facts from ``at`` on and the place behind them.

        Only what lies before ``until`` is read. No facts: the place is ``until``, everything before it is done.
        """
        while at.segment < until.segment or at < until:
            end = until.offset if at.segment == until.segment else None
            facts, offset = self._read_segment(at, end, limit)
            if facts:
                return facts, Position(at.segment, offset)
            if at.segment == until.segment:
                break
            later = [number for number in self.segments() if at.segment < number <= until.segment]
            at = Position(later[0] if later else until.segment, 0)
        return [], until

    def delete_before(self, number: int) -> None:
        """Delete the segments before this one."""
        for one in self.segments():
            if one < number:
                self.segment(one).unlink()

    def close(self) -> None:
        """Let another process have the directory."""
        self._lock.close()

    def _read_segment(self, at: Position, end: int | None, limit: int) -> tuple[list[SpooledFact], int]:
        facts: list[SpooledFact] = []
        offset = at.offset
        path = self.segment(at.segment)
        if not path.exists():
            return facts, offset
        with path.open("rb") as file:
            file.seek(at.offset)
            data = file.read(-1 if end is None else end - at.offset)
        for fact, behind in unpack(data):
            facts.append(fact)
            offset = at.offset + behind
            if len(facts) == limit:
                return facts, offset
        if at.offset + len(data) > offset:
            log.warning("a torn record ends a segment of the spool", extra={"path": str(path)})
        return facts, offset

    def _node_name(self, random: RandomBytes) -> str:
        """Made once, and whole: nodes that have one name give up one another's calls. An empty file is what a full
        disk or a lost machine left of an earlier attempt."""
        file, part = self.path / "node", self.path / "node.part"
        if name := file.read_text(encoding="ascii").strip() if file.exists() else "":
            return name
        with part.open("wb") as made:
            made.write(token(random).encode("ascii"))
            made.flush()
            os.fsync(made.fileno())
        part.replace(file)
        sync_directory(self.path)
        return file.read_text(encoding="ascii").strip()


class SpoolWriter:
    """Appends records to segments of its own and syncs them. Belongs to one thread."""

    def __init__(self, directory: SpoolDirectory) -> None:
        self._directory = directory
        self._number = max(directory.segments(), default=0)
        self._file: FileIO | None = None
        self._offset = 0
        self._opened_s = 0.0
        self.first = self._number + 1
        """The first segment of this process; all before it were written by an earlier one."""

    @property
    def end(self) -> Position:
        """Behind the last synced record: in the open segment, or where the next one will begin."""
        return Position(self._number, self._offset) if self._file else Position(self._number + 1, 0)

    @property
    def is_old(self) -> bool:
        """Whether there is a segment that should be closed by now."""
        return self._file is not None and time.monotonic() - self._opened_s >= SEGMENT_S

    def write(self, records: list[bytes]) -> None:
        """Append and sync; raises OSError. Then nothing counts as written: write it all again."""
        try:
            file = self._open()
            data = b"".join(records)
            write_whole(file, data)
            os.fsync(file.fileno())
            self._offset += len(data)
        except OSError:
            # What the file holds now is unknown, and a second fsync may lie. The rest goes to a new segment.
            self.close()
            raise

    def close(self) -> None:
        """Close the segment; the next write opens a new one. What counts in it is synced, whatever a disk says."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    def _open(self) -> FileIO:
        if self._file is not None and self._offset < SEGMENT_BYTES and not self.is_old:
            return self._file
        self.close()
        self._number += 1
        self._offset = 0
        self._opened_s = time.monotonic()
        self._file = self._directory.segment(self._number).open("xb", buffering=0)
        sync_directory(self._directory.path)
        return self._file


def _locked(path: Path) -> BinaryIO:
    file = path.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # the other thread has just deleted it
        return 0
