"""Facts that the database would not take: kept beside the spool for a person to look at, to try again, or to erase.

Node and command line both write here, so each takes the lock beside the file first.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from voicegw.base.durable import write_whole
from voicegw.storage.spool import SpooledFact, pack, unpack


class RejectedFacts:
    """The file ``rejected`` of a spool. Every method may raise OSError."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._file = spool / "rejected"

    def add(self, facts: Iterable[SpooledFact]) -> None:
        """Keep these as well, all of them or none: behind half a record nothing could be read."""
        with self._locked(), self._file.open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                write_whole(file, b"".join(map(pack, facts)))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise

    def read(self) -> tuple[SpooledFact, ...]:
        """All of them, in the order in which they were refused."""
        if not self._file.exists():
            return ()
        return tuple(fact for fact, _behind in unpack(self._file.read_bytes()))

    def remove(self, unwanted: Callable[[SpooledFact], bool]) -> int:
        """Forget some of them; how many."""
        if not self._file.exists():
            return 0
        with self._locked():
            there = self.read()
            kept = [fact for fact in there if not unwanted(fact)]
            if len(kept) < len(there):
                self._replace(kept)
        return len(there) - len(kept)

    def _replace(self, facts: Iterable[SpooledFact]) -> None:
        part = self._spool / "rejected.part"
        with part.open("wb") as file:
            file.writelines(map(pack, facts))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._spool / "rejected.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
