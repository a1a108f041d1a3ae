"""Facts leave the call here: a queue, then the spool on disk, then the database, each in a thread of its own.

Appending costs the call one put into a queue. The spool thread encodes, salts and syncs what came within
``batch_ms`` at once; a fact is **acknowledged** when that sync has returned, and from then on it is lost neither
when the process is killed nor while the database is away. The delivery thread carries it into the database, in
order and as often as it takes.

Nothing here can delay a call or fail it. What has no room is dropped and counted, the newest first: what was
acknowledged once stays. The last tenth of the spool is kept for the ends of calls, without which nothing is sealed.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from voicegw.base.ids import CallId, RandomBytes
from voicegw.base.metrics import Counters
from voicegw.call.facts import CallHasEnded, CallWasOffered, Entry, encode_entry
from voicegw.storage.chain import SALT_BYTES
from voicegw.storage.config import StoreConfig
from voicegw.storage.delivery import Delivery
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.spool import SEGMENT_S, SpoolDirectory, SpooledFact, SpoolWriter, pack
from voicegw.storage.store import Store

log = logging.getLogger(__name__)

MAX_QUEUED = 50_000
"""About 20 MB: minutes of a busy node on a disk that has stopped answering."""
CLOSE_S = 5.0
"""How long closing waits for the database; the rest stays in the spool for the next start."""
_RETRY_S = 1.0
_LOOK_S = 0.5
_VITAL = (CallWasOffered, CallHasEnded)
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Mark:
    """Everything queued before it is synced when ``reached`` is set; the last one ends the thread."""

    reached: threading.Event
    last: bool = False


_Item = tuple[CallId, Entry] | _Mark


class StoreWriter:
    """A :class:`~voicegw.runtime.services.FactSink`. Thread-safe to append to; close it once.

    Counts ``store_facts_dropped`` (queue full), ``store_facts_unwritable``, ``store_spool_full``,
    ``store_spool_errors`` and what :class:`Delivery` counts.
    """

    def __init__(
        self,
        config: StoreConfig,
        counters: Counters,
        random: RandomBytes = os.urandom,
        files: NodeFiles | None = None,
    ) -> None:
        """Takes the spool and starts both threads; raises LocalError where the spool cannot be had, and ConfigError
        where the driver of the database is missing.

        ``files`` is what this node keeps of calls beside the database, and what goes when they are erased.
        """
        store = Store(config)
        self._counters = counters
        self._random = random
        self._batch_s = config.batch_ms / 1000
        self._max_bytes = config.spool_mb * _MIB
        for name in ("store_facts_dropped", "store_facts_unwritable", "store_spool_full", "store_spool_errors"):
            counters.add(name, 0)  # two threads count; none of them may change the keys
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._directory = SpoolDirectory(Path(config.spool), random)
        self._spool = SpoolWriter(self._directory)
        self._is_full = False
        files = files or NodeFiles(Path(config.spool))
        first = self._spool.first
        self._delivery = Delivery(store, config.retention, self._directory, first, counters, files)
        self._thread = threading.Thread(target=self._run, name="store-spool", daemon=True)
        self._thread.start()
        self._delivery.start()

    @property
    def node(self) -> str:
        """The name under which this node's calls are stored."""
        return self._directory.node

    def gauges(self) -> dict[str, float]:
        """Levels for metrics. Any thread may ask."""
        return {
            "store_queued_facts": float(self._queue.qsize()),
            "store_spool_bytes": float(self._directory.size()),
            "store_spool_limit_bytes": float(self._max_bytes),
        }

    def use(self, config: StoreConfig) -> None:
        """The size of the spool, how long facts are collected, and how long what is kept, from now on."""
        self._batch_s = config.batch_ms / 1000
        self._max_bytes = config.spool_mb * _MIB
        self._delivery.retain(config.retention)

    def append(self, call_id: CallId, entry: Entry) -> None:
        """Take one fact; drops and counts it when the disk has fallen far behind."""
        if self._queue.qsize() >= MAX_QUEUED:
            self._counters.add("store_facts_dropped")
            return
        self._queue.put((call_id, entry))

    def finish(self, call_id: CallId) -> None:
        """Nothing to do: the fact that a call has ended seals it."""

    def flush(self) -> None:
        """Wait until everything appended so far is acknowledged; with a broken disk, until it is given up."""
        self._mark(last=False)

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything appended so far is in the database; False when it is not by then."""
        self.flush()
        return self._delivery.wait_for(self._spool.end, timeout_s)

    def close(self) -> None:
        """Sync what is queued, give the database a little time to take it, and stop."""
        self._mark(last=True)
        self._thread.join()
        self._delivery.close(self._spool.end, CLOSE_S)
        self._directory.close()

    def _mark(self, *, last: bool) -> None:
        mark = _Mark(threading.Event(), last)
        self._queue.put(mark)
        self._hurry.set()
        while not mark.reached.wait(_LOOK_S) and self._thread.is_alive():
            pass  # a thread that has died reaches nothing; who waits for it must not wait for ever

    def _run(self) -> None:
        last = False
        while not last:
            items = self._collected()
            marks = [item for item in items if isinstance(item, _Mark)]
            last = any(mark.last for mark in marks)
            facts = [item for item in items if not isinstance(item, _Mark)]
            try:
                self._write(facts, patient=not marks)
            except Exception:  # a thread of the node's (decision 0019)
                self._counters.add("store_facts_dropped", len(facts))
                log.exception("facts of calls are lost", extra={"facts": len(facts)})
            for mark in marks:
                mark.reached.set()
        self._close_segment()

    def _close_segment(self) -> None:
        self._spool.close()
        self._delivery.go_on(self._spool.end)

    def _collected(self) -> list[_Item]:
        """What came within a batch; meanwhile a segment that is old enough is closed, so that it can be deleted."""
        items: list[_Item] = []
        while not items:
            with suppress(queue.Empty):
                items.append(self._queue.get(timeout=SEGMENT_S))
            if not items and self._spool.is_old:
                self._close_segment()
        self._hurry.wait(self._batch_s)
        self._hurry.clear()
        while not self._queue.empty():
            items.append(self._queue.get())
        return items

    def _write(self, facts: Sequence[tuple[CallId, Entry]], *, patient: bool) -> None:
        """Sync these facts. A disk that fails is tried again unless somebody waits."""
        wall_ms = time.time_ns() // 1_000_000
        spooled = [(self._spooled(call_id, entry, wall_ms), entry) for call_id, entry in facts]
        wanted = [(fact, entry) for fact, entry in spooled if fact is not None]
        records: list[bytes] | None = None
        while wanted and (records is None or records):
            began = time.perf_counter()
            try:
                if records is None:
                    records = self._admitted(wanted)
                if records:
                    self._spool.write(records)
            except OSError as error:
                self._counters.add("store_spool_errors")
                log.error("the spool cannot be written: %s", error)
                if not patient or self._hurry.wait(_RETRY_S):
                    self._counters.add("store_facts_dropped", len(wanted if records is None else records))
                    return
            else:
                self._counters.observe("store_sync_seconds", time.perf_counter() - began)
                self._delivery.go_on(self._spool.end)
                return

    def _admitted(self, facts: Sequence[tuple[SpooledFact, Entry]]) -> list[bytes]:
        used = self._directory.size()
        admitted = []
        for fact, entry in facts:
            record = pack(fact)
            room = self._max_bytes if isinstance(entry.data, _VITAL) else self._max_bytes * 9 // 10
            if used + len(record) > room:
                self._counters.add("store_spool_full")
                continue
            used += len(record)
            admitted.append(record)
        self._tell_if_full(len(admitted) < len(facts))
        return admitted

    def _tell_if_full(self, full: bool) -> None:
        if full and not self._is_full:
            log.error("the spool is full: facts of calls are being lost", extra={"path": str(self._directory.path)})
        self._is_full = full

    def _spooled(self, call_id: CallId, entry: Entry, wall_ms: int) -> SpooledFact | None:
        kind = type(entry.data).__name__
        try:
            content = encode_entry(entry)[:-1]
        except (TypeError, ValueError) as error:  # a fault of ours, and of one fact
            self._counters.add("store_facts_unwritable")
            log.error("a fact cannot be written: %s", error, extra={"call_id": call_id, "fact": kind})
            return None
        return SpooledFact(call_id, entry.seq, kind, wall_ms, self._random(SALT_BYTES), content)
