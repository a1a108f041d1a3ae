"""From the spool into the database: a thread with an event loop and connections of its own.

A database that is away is asked again, ever less often, for as long as the process lives; so is a file beside it
that cannot be written (refused facts, the ledger of tools): the thread lives as long as the process does. A batch
that the database refuses is divided until the call at fault is alone; that call's facts are set aside and do not
hold up all others.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError, LocalError, VoicegwError
from voicegw.base.metrics import Counters
from voicegw.storage.config import RetentionConfig
from voicegw.storage.erasure import Order, erase
from voicegw.storage.errors import Refused
from voicegw.storage.intake import Intake
from voicegw.storage.maintenance import Maintenance
from voicegw.storage.node_files import NodeFiles, Scope
from voicegw.storage.rejected import RejectedFacts
from voicegw.storage.spool import Position, SpoolDirectory, SpooledFact
from voicegw.storage.store import Store, Unit

log = logging.getLogger(__name__)

BATCH_FACTS = 500
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0


class Delivery:
    """Follows the spool's end. :meth:`go_on` and :meth:`wait_for` are for other threads."""

    def __init__(
        self,
        store: Store,
        retention: RetentionConfig,
        directory: SpoolDirectory,
        first: int,
        counters: Counters,
        files: NodeFiles,
    ) -> None:
        """``first`` is the first segment of this process: what lies before it are leftovers."""
        self._store = store
        self._retention = retention
        self._maintenance: Maintenance | None = None
        self._directory = directory
        self._first = first
        self._counters = counters
        self._files = files
        for name in ("store_facts_stored", "store_facts_rejected", "store_outages", "store_calls_lost"):
            counters.add(name, 0)
        self._intake = Intake(directory.node)
        self._rejected = RejectedFacts(directory.path)
        self._end = Position(first, 0)
        self._done = Position(0, 0)
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="store-delivery", daemon=True)

    def start(self) -> None:
        """Begin with what an earlier process left."""
        self._thread.start()

    def go_on(self, end: Position) -> None:
        """The spool reaches to ``end`` now."""
        with self._changed:
            self._end = end
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._wake.set)

    def retain(self, retention: RetentionConfig) -> None:
        """How long what is kept, from the next round on."""
        with self._changed:
            self._retention = retention
            if self._maintenance is not None:
                self._maintenance.retention = retention

    def wait_for(self, end: Position, timeout_s: float) -> bool:
        """Wait until the database has everything before ``end``; False when it has not by then."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done >= end, timeout_s)

    def close(self, end: Position, timeout_s: float) -> None:
        """Wait so long for the database to have everything, then stop."""
        if not self.wait_for(end, timeout_s):
            log.warning("facts stay in the spool until the next start", extra={"bytes": self._directory.size()})
        self._closing.set()
        self.go_on(end)
        self._thread.join()
        if self._done >= end:
            self._delete_before(end.segment + 1)

    def _run(self) -> None:
        try:
            asyncio.run(self._follow())
        except Exception:  # a thread of the node's (decision 0019)
            self._counters.add("store_outages")
            log.exception("facts stay in the spool until the node is started again")

    async def _follow(self) -> None:
        with self._changed:
            self._loop = asyncio.get_running_loop()
        store = self._store
        try:
            if await self._insist(store.start):
                await self._carry(store, Position(self._first, 0))
                if await self._insist(lambda: self._give_up_open_calls(store)):
                    await self._carry_on_with_maintenance(store)
        finally:
            with self._changed:
                self._loop = None
            await store.close()

    async def _carry_on_with_maintenance(self, store: Store) -> None:
        node = self._directory.node
        with self._changed:
            maintenance = Maintenance(store, self._retention, SystemClock(), self._files, node)
            self._maintenance = maintenance
        maintenance.start()
        try:
            await self._carry_on(store)
        finally:
            await maintenance.close()

    async def _carry_on(self, store: Store) -> None:
        while not self._closing.is_set():
            self._wake.clear()
            with self._changed:
                end = self._end
            await self._carry(store, end)
            await self._wake.wait()

    async def _carry(self, store: Store, end: Position) -> None:
        while self._done < end:
            found = await self._read(end)
            if found is None or not await self._deliver(store, found[0]):
                return
            behind = found[1]
            if behind.segment > self._done.segment:
                self._delete_before(behind.segment)
            with self._changed:
                self._done = behind
                self._changed.notify_all()

    async def _read(self, end: Position) -> tuple[list[SpooledFact], Position] | None:
        """The next facts, as soon as the disk gives them; None when the process ends before that."""
        found: list[tuple[list[SpooledFact], Position]] = []

        async def look() -> None:
            found.append(self._directory.read(self._done, end, BATCH_FACTS))

        return found[0] if await self._insist(look) else None

    async def _deliver(self, store: Store, batch: Sequence[SpooledFact]) -> bool:
        """Have the database take a batch; False when the process ends before it has."""
        try:
            return await self._insist(lambda: self._take(store, batch))
        except Refused as error:
            call_ids = list(dict.fromkeys(fact.call_id for fact in batch))
            reason = str(error)
            if len(call_ids) == 1:
                return await self._insist(lambda: self._set_aside(batch, reason))
            half = set(call_ids[: len(call_ids) // 2])
            first = [fact for fact in batch if fact.call_id in half]
            second = [fact for fact in batch if fact.call_id not in half]
            return await self._deliver(store, first) and await self._deliver(store, second)

    async def _take(self, store: Store, batch: Sequence[SpooledFact]) -> None:
        if not batch:
            return
        began = time.perf_counter()
        try:
            async with store.write() as unit:
                taken = await self._intake.take(unit.connection, batch)
                await self._heed_refusals(unit, taken.refused)
        except (VoicegwError, OSError):
            self._intake.forget()
            raise
        self._counters.observe("store_write_seconds", time.perf_counter() - began)
        self._counters.add("store_facts_stored", taken.facts)
        if taken.late:
            await self._set_aside(taken.late, "their call is sealed")

    async def _give_up_open_calls(self, store: Store) -> None:
        async with store.write() as unit:
            lost, refused = await self._intake.give_up_open_calls(unit.connection, _now_ms())
            await self._heed_refusals(unit, refused)
        self._counters.add("store_calls_lost", len(lost))
        if lost:
            log.warning("calls were cut off by the end of an earlier process", extra={"calls": len(lost)})

    async def _heed_refusals(self, unit: Unit, call_ids: Sequence[str]) -> None:
        """Callers who refused in the end: what was written down before goes, with the end of their call."""
        if call_ids:
            order = Order(Scope.BEFORE_REFUSAL, "the caller refused to be recorded", "consent", _now_ms())
            files = await self._files.erase(order.scope, call_ids)
            await erase(unit, order, call_ids, files)

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Try until it works; False when the process ends before it does."""
        pause_s, is_outage = FIRST_PAUSE_S, False
        while True:
            try:
                await work()
            except Refused:
                raise
            except (LocalError, ConfigError, OSError) as error:  # ConfigError: tables of a newer version
                if not is_outage:
                    log.error("facts wait in the spool: %s", error)
                    self._counters.add("store_outages")
                is_outage = True
                if await self._rest(pause_s):
                    return False
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                if is_outage:
                    log.info("the database takes facts again")
                return True

    async def _rest(self, seconds: float) -> bool:
        """Wait; True when the process ends."""
        until = time.monotonic() + seconds
        while not self._closing.is_set() and (left_s := until - time.monotonic()) > 0:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._wake.wait()
        return self._closing.is_set()

    async def _set_aside(self, facts: Sequence[SpooledFact], reason: str) -> None:
        self._rejected.add(facts)
        self._counters.add("store_facts_rejected", len(facts))
        log.error("facts were set aside: %s", reason, extra={"call": facts[0].call_id, "facts": len(facts)})

    def _delete_before(self, number: int) -> None:
        """What the database has; what cannot be deleted now goes with the next segment."""
        try:
            self._directory.delete_before(number)
        except OSError as error:
            log.error("the spool keeps what the database has: %s", error)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
