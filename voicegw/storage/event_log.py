"""The facts of each call as JSON lines, one file a call, written by one thread off the call path.

A slow or full disk delays and loses log lines, counted and logged; it never delays a call.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import msgspec

from voicegw.base.durable import write_whole
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import (
    AgentSpoke,
    AnnouncementWasMade,
    CallerSpoke,
    CallWasOrdered,
    ConsentWasRefused,
    Entry,
    KeysWereSent,
    KeyWasPressed,
    SlotWasFilled,
    SupervisorSpoke,
    TransferHasBegun,
    WebhookWasCalled,
    decode_entry,
    encode_entry,
)
from voicegw.call.recording_facts import ParticipantSpoke

log = logging.getLogger(__name__)

MAX_QUEUED_LINES = 50_000
"""About 20 MB: minutes of a busy server on a disk that has stopped answering."""

_SPOKEN = (
    *(CallerSpoke, AgentSpoke, SupervisorSpoke, ParticipantSpoke, KeyWasPressed, KeysWereSent, SlotWasFilled),
    *(WebhookWasCalled, TransferHasBegun, AnnouncementWasMade, CallWasOrdered),
)
"""What may repeat the conversation."""
_Item = tuple[CallId, Entry | None, Path]


class EventLog:
    """Append-only call logs under one directory. Thread-safe to append to; close it once."""

    def __init__(self, directory: Path | None, counters: Counters) -> None:
        """``directory``: None for no logs; it is made where it is not there."""
        self._directory: Path | None = None
        self._counters = counters
        self._paths: dict[CallId, Path] = {}
        """Of calls that are not over: where their log was begun. It was with their first fact, or it is not."""
        self._queue: queue.Queue[_Item | None] = queue.Queue()
        self._files: dict[CallId, FileIO] = {}
        self._failed: set[CallId] = set()
        self._thread: threading.Thread | None = None
        self.use(directory)

    def use(self, directory: Path | None) -> None:
        """Logs of calls that begin from now on are there; None: they have none. Others end where they began."""
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="event-log", daemon=True)
                self._thread.start()
        self._directory = directory

    def append(self, call_id: CallId, entry: Entry) -> None:
        """Write one fact; drops and counts it when the disk has fallen far behind."""
        path = self._paths.get(call_id)
        if path is None:
            directory = self._directory
            if directory is None or entry.seq > 0:
                return
            path = self._paths[call_id] = log_of(directory, call_id)
        if self._queue.qsize() >= MAX_QUEUED_LINES:
            self._counters.add("event_log_lines_dropped")
        else:
            self._queue.put((call_id, entry, path))

    def finish(self, call_id: CallId) -> None:
        """The call is over: close its file. There is always room for that: a file that nobody closes stays open."""
        if (path := self._paths.pop(call_id, None)) is not None:
            self._queue.put((call_id, None, path))

    def close(self) -> None:
        """Write what is queued and stop the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def flush(self) -> None:
        """Wait until everything appended so far has been written."""
        self._queue.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            self._write(*item)
            self._queue.task_done()
        for file in self._files.values():
            file.close()
        self._queue.task_done()

    def _write(self, call_id: CallId, entry: Entry | None, path: Path) -> None:
        try:
            if entry is None:
                self._failed.discard(call_id)
                if file := self._files.pop(call_id, None):
                    file.close()
                return
            open_file = self._files.get(call_id)
            if open_file is None:
                open_file = self._files[call_id] = path.open("ab", buffering=0)
            write_whole(open_file, encode_entry(entry))
            if isinstance(entry.data, ConsentWasRefused):
                open_file.close()
                del self._files[call_id]
                _forget_before(path, entry.seq)
        except (OSError, TypeError, ValueError) as error:  # the disk, or a fact that no JSON can hold
            self._counters.add("event_log_write_errors")
            if call_id not in self._failed:
                self._failed.add(call_id)
                log.error("cannot write the log of a call: %s", error, extra={"path": str(path)})


def log_of(directory: Path, call_id: CallId) -> Path:
    """Where the log of a call is."""
    return directory / f"{call_id}.jsonl"


def read_log(path: Path) -> Iterator[Entry]:
    """The entries of one log; a torn last line (the machine died in mid-write) is left out."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                yield decode_entry(line)
            except msgspec.DecodeError:
                log.warning("unreadable line in a call log", extra={"path": str(path)})


def _forget_before(path: Path, seq: int) -> None:
    """The caller refused to be recorded: what was said until then goes; numbers missing from the log tell of it."""
    kept = [entry for entry in read_log(path) if entry.seq >= seq or not isinstance(entry.data, _SPOKEN)]
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(b"".join(map(encode_entry, kept)))
    part.replace(path)
