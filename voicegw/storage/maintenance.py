"""What the store does by itself: erase what is due, anchor what is sealed, forget what is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, exists, select

from voicegw.base.clock import Clock
from voicegw.storage.anchors import Anchor, make_anchor
from voicegw.storage.call_records import StoredState
from voicegw.storage.certificates import Certificate
from voicegw.storage.config import RetentionConfig
from voicegw.storage.erasure import (
    Order,
    Scope,
    calls_of_number,
    erase,
    erase_audit_details,
    recordings_of,
)
from voicegw.storage.errors import Refused, StoreUnavailable
from voicegw.storage.store import Store
from voicegw.storage.tables.calls import calls, recordings, transcripts

log = logging.getLogger(__name__)

RemoveRecording = Callable[[str], Awaitable[None]]
FIRST_S = 60.0
"""After the start, when calls that were left over are in the database."""
INTERVAL_S = 3600.0
DAY_MS = 86_400_000
KEEP_DELIVERED_MS = 7 * DAY_MS
_BATCH_CALLS = 200
_ACTOR = "retention"


async def unlink(path: str) -> None:
    """Remove a recording that is a plain file; one that is gone already is no error."""
    await asyncio.to_thread(Path(path).unlink, missing_ok=True)


@dataclass(frozen=True, slots=True)
class Done:
    """What one round did."""

    certificates: tuple[Certificate, ...]
    anchor: Anchor | None


class Maintenance:
    """Runs once an hour beside the writer; :meth:`round` and :meth:`erase_number` can be called at any time.

    With a ``node`` retention takes care of that node's calls only: the recordings of others are not on this disk.
    """

    def __init__(
        self,
        store: Store,
        retention: RetentionConfig,
        clock: Clock,
        remove_recording: RemoveRecording = unlink,
        node: str | None = None,
    ) -> None:
        self._store = store
        self._retention = retention
        self._clock = clock
        self._remove = remove_recording
        self._node = node
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._task = asyncio.create_task(self._run(), name="store-maintenance")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def erase_number(self, number: str, *, actor: str, reason: str) -> Certificate:
        """Erase everything of a caller's number in ended calls; the certificate says of which."""
        order = Order(Scope.EVERYTHING, reason, actor, self._now_ms(), subject=number)
        async with self._store.read() as unit:
            call_ids = await calls_of_number(unit.connection, number)
        return await self._erase(order, call_ids)

    async def round(self) -> Done:
        """Everything that is due; raises StoreUnavailable."""
        now, kept = self._now_ms(), self._retention
        made: list[Certificate] = []
        has_lines = exists().where(transcripts.c.call_id == calls.c.id)
        has_audio = exists().where(recordings.c.call_id == calls.c.id, recordings.c.deleted_wall_ms.is_(None))
        not_erased = calls.c.erasure_id.is_(None)
        made += await self._due(Scope.EVERYTHING, kept.events_days, not_erased, now)
        made += await self._due(Scope.SPOKEN, kept.transcripts_days, has_lines, now)
        made += await self._due(Scope.RECORDING, kept.recordings_days, has_audio, now)
        async with self._store.write() as unit:
            if kept.audit_days:
                order = Order(Scope.EVERYTHING, "retention of audit details", _ACTOR, now)
                certificate = await erase_audit_details(unit, order, now - kept.audit_days * DAY_MS)
                made += [certificate] if certificate else []
            await unit.sessions.forget_expired(now)
            await unit.deliveries.forget_delivered(now - KEEP_DELIVERED_MS)
            anchor = await make_anchor(unit.connection, now)
        if anchor is not None:
            log.info("calls are anchored", extra={"anchor": anchor.anchor_no, "hash": anchor.hash.hex()})
        return Done(tuple(made), anchor)

    async def _run(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.round()
            except (StoreUnavailable, Refused) as error:  # refused: another node anchors at the same moment
                log.warning("the store's round is put off: %s", error)
            except OSError as error:
                log.error("a recording cannot be removed: %s", error)
            await asyncio.sleep(INTERVAL_S)

    async def _due(self, scope: Scope, days: int, there: ColumnElement[bool], now: int) -> list[Certificate]:
        made: list[Certificate] = []
        order = Order(scope, f"retention of {scope.value} after {days} days", _ACTOR, now)
        while days:
            old: list[Any] = [calls.c.started_wall_ms < now - days * DAY_MS]
            old.append(calls.c.state != StoredState.OPEN.value)
            if self._node is not None:
                old.append(calls.c.node == self._node)
            query = select(calls.c.id).where(*old, there).order_by(calls.c.started_wall_ms).limit(_BATCH_CALLS)
            async with self._store.read() as unit:
                call_ids = list(await unit.connection.scalars(query))
            if not call_ids:
                break
            made.append(await self._erase(order, call_ids))
        return made

    async def _erase(self, order: Order, call_ids: Sequence[str]) -> Certificate:
        if order.scope is not Scope.SPOKEN:
            async with self._store.read() as unit:
                paths = await recordings_of(unit.connection, call_ids)
            for path in paths:
                await self._remove(path)
        async with self._store.write() as unit:
            return await erase(unit, order, call_ids)

    def _now_ms(self) -> int:
        return round(self._clock.wall() * 1000)
