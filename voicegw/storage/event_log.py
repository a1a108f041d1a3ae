"""The facts of each call as JSON lines, one file a call, written by one thread off the call path.

A slow or full disk delays and loses log lines, counted and logged; it never delays a call.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

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
_Item = tuple[CallId, Entry | None]


class EventLog:
    """Append-only call logs under one directory. Thread-safe to append to; close it once."""

    def __init__(self, directory: Path, counters: Counters) -> None:
        self._directory = directory
        self._counters = counters
        self._queue: queue.Queue[_Item | None] = queue.Queue(MAX_QUEUED_LINES)
        self._files: dict[CallId, BinaryIO] = {}
        self._failed: set[CallId] = set()
        directory.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name="event-log", daemon=True)
        self._thread.start()

    def path(self, call_id: CallId) -> Path:
        """Where the log of a call is."""
        return self._directory / f"{call_id}.jsonl"

    def append(self, call_id: CallId, entry: Entry) -> None:
        """Write one fact; drops and counts it when the disk has fallen far behind."""
        self._put((call_id, entry))

    def finish(self, call_id: CallId) -> None:
        """The call is over: close its file."""
        self._put((call_id, None))

    def close(self) -> None:
        """Write what is queued and stop the thread."""
        self._queue.put(None)
        self._thread.join()

    def flush(self) -> None:
        """Wait until everything appended so far has been written."""
        self._queue.join()

    def _put(self, item: _Item) -> None:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._counters.add("event_log_lines_dropped")

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            self._write(*item)
            self._queue.task_done()
        for file in self._files.values():
            file.close()
        self._queue.task_done()

    def _write(self, call_id: CallId, entry: Entry | None) -> None:
        try:
            if entry is None:
                self._failed.discard(call_id)
                if file := self._files.pop(call_id, None):
                    file.close()
                return
            open_file = self._files.get(call_id)
            if open_file is None:
                open_file = self._files[call_id] = self.path(call_id).open("ab", buffering=0)
            open_file.write(encode_entry(entry))
            if isinstance(entry.data, ConsentWasRefused):
                open_file.close()
                del self._files[call_id]
                _forget_before(self.path(call_id), entry.seq)
        except OSError as error:
            self._counters.add("event_log_write_errors")
            if call_id not in self._failed:
                self._failed.add(call_id)
                log.error("cannot write the log of a call: %s", error, extra={"path": str(self.path(call_id))})


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
