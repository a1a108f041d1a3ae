"""What the store does by itself: erase what is due, anchor what is sealed, forget what is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, select

from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.tasks import kept_task
from voicegw.storage.anchors import Anchor, make_anchor
from voicegw.storage.call_records import StoredState
from voicegw.storage.certificates import Certificate, decode
from voicegw.storage.config import RetentionConfig
from voicegw.storage.erasure import (
    Order,
    calls_of_number,
    erase,
    erase_audit_details,
    recordings_of,
)
from voicegw.storage.errors import Refused, StoreUnavailable
from voicegw.storage.node_files import NodeFiles, Scope
from voicegw.storage.store import Store
from voicegw.storage.tables.calls import calls, recordings, transcripts
from voicegw.storage.tables.proofs import erasures

log = logging.getLogger(__name__)

FIRST_S = 60.0
"""After the start, when calls that were left over are in the database."""
INTERVAL_S = 3600.0
DAY_MS = 86_400_000
KEEP_DELIVERED_MS = 7 * DAY_MS
_BATCH_CALLS = 200
_ACTOR = "retention"
_LOOK_BACK_MS = 30 * DAY_MS
"""How far back a node that starts follows what others have erased."""
_OVERLAP_MS = 3_600_000
"""Clocks of nodes differ, and transactions end later than they say."""
_STUCK_AT_MOST = 20
"""Calls of a round whose files stay. More: it is the disk, and the other calls would not fare better."""


class _Stuck:
    """Calls of one round whose files cannot be removed, and why."""

    def __init__(self) -> None:
        self.calls: dict[str, OSError | LocalError] = {}

    def add(self, call_id: str, error: OSError | LocalError) -> None:
        """Raises what it is given where there are too many already."""
        self.calls[call_id] = error
        if len(self.calls) > _STUCK_AT_MOST:
            raise error

    def raise_any(self) -> None:
        """LocalError that names the first and says how many there are."""
        if self.calls:
            call_id, error = next(iter(self.calls.items()))
            raise LocalError(f"{error} (call {call_id}; due here are {len(self.calls)} like it)") from error


@dataclass(frozen=True, slots=True)
class Done:
    """What one round did."""

    certificates: tuple[Certificate, ...]
    anchors: tuple[Anchor, ...]


class Maintenance:
    """Runs once an hour beside the writer; :meth:`round` and :meth:`erase_number` can be called at any time.

    With a ``node`` retention takes care of that node's calls only: the recordings of others are not on this disk.
    """

    def __init__(
        self,
        store: Store,
        retention: RetentionConfig,
        clock: Clock,
        files: NodeFiles,
        node: str | None = None,
    ) -> None:
        self._store = store
        self.retention = retention
        """Of the rounds from now on. Any thread may change it."""
        self._clock = clock
        self._files = files
        self._node = node
        self._followed_wall_ms = self._now_ms() - _LOOK_BACK_MS
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._task = kept_task(self._run, "store-maintenance")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def erase_number(self, number: str, *, actor: str, reason: str) -> Certificate:
        """Erase everything of a caller's number in ended calls; the certificate says of which.

        Raises StoreUnavailable, and OSError or LocalError for a file: then begin again, nothing is certified.
        """
        order = Order(Scope.EVERYTHING, reason, actor, self._now_ms(), subject=number)
        async with self._store.read() as unit:
            call_ids = await calls_of_number(unit.connection, number)
        return await self._erase(order, call_ids)

    async def round(self) -> Done:
        """Everything that is due; raises StoreUnavailable, and OSError or LocalError for a file. That holds up the
        call it belongs to, and nothing besides, unless it is one of many."""
        now = self._now_ms()
        made: list[Certificate] = []
        try:
            await self._erase_due(now, made)
        except (OSError, LocalError):
            await self._tidy_up(now, made)
            raise
        anchors = await self._tidy_up(now, made)
        return Done(tuple(made), anchors)

    async def _erase_due(self, now: int, made: list[Certificate]) -> None:
        kept = self.retention
        has_lines = exists().where(transcripts.c.call_id == calls.c.id)
        has_audio = exists().where(recordings.c.call_id == calls.c.id, recordings.c.deleted_wall_ms.is_(None))
        not_erased = calls.c.erasure_id.is_(None)
        stuck = _Stuck()
        await self._due(Scope.EVERYTHING, kept.events_days, not_erased, now, made, stuck)
        await self._due(Scope.SPOKEN, kept.transcripts_days, has_lines, now, made, stuck)
        await self._due(Scope.RECORDING, kept.recordings_days, has_audio, now, made, stuck)
        await self._follow_others(now, stuck)
        await self._forget_files(now)
        stuck.raise_any()

    async def _tidy_up(self, now: int, made: list[Certificate]) -> tuple[Anchor, ...]:
        """What is in the database alone: the audit, what is over, and the next anchor."""
        kept = self.retention
        async with self._store.write() as unit:
            if kept.audit_days:
                order = Order(Scope.EVERYTHING, "retention of audit details", _ACTOR, now)
                certificate = await erase_audit_details(unit, order, now - kept.audit_days * DAY_MS)
                made += [certificate] if certificate else []
            await unit.sessions.forget_expired(now)
            await unit.deliveries.forget_delivered(now - KEEP_DELIVERED_MS)
        return await self._anchor(now)

    async def _anchor(self, now: int) -> tuple[Anchor, ...]:
        """All calls that ended since the last round, so many in one."""
        made: list[Anchor] = []
        while True:
            async with self._store.write() as unit:
                anchor = await make_anchor(unit.connection, now)
            if anchor is None:
                return tuple(made)
            made.append(anchor)
            log.info("calls are anchored", extra={"anchor": anchor.anchor_no, "hash": anchor.hash.hex()})

    async def _run(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.round()
            except (StoreUnavailable, Refused) as error:  # refused: another node anchors at the same moment
                log.warning("the store's round is put off: %s", error)
            except (OSError, LocalError) as error:
                log.error("what is due cannot be erased: %s", error)
            await asyncio.sleep(INTERVAL_S)

    async def _due(
        self,
        scope: Scope,
        days: int,
        there: ColumnElement[bool],
        now: int,
        made: list[Certificate],
        stuck: _Stuck,
    ) -> None:
        order = Order(scope, f"retention of {scope.value} after {days} days", _ACTOR, now)
        while days:
            old: list[Any] = [calls.c.started_wall_ms < now - days * DAY_MS]
            old.append(calls.c.state != StoredState.OPEN.value)
            old.append(calls.c.id.not_in(list(stuck.calls)))
            if self._node is not None:
                old.append(calls.c.node == self._node)
            query = select(calls.c.id).where(*old, there).order_by(calls.c.started_wall_ms).limit(_BATCH_CALLS)
            async with self._store.read() as unit:
                call_ids = list(await unit.connection.scalars(query))
            if not call_ids:
                break
            await self._erase_all(order, call_ids, made, stuck)

    async def _erase_all(
        self, order: Order, call_ids: Sequence[str], made: list[Certificate], stuck: _Stuck
    ) -> None:
        """By halves where a file is in the way, down to the call that it belongs to."""
        try:
            made.append(await self._erase(order, call_ids))
        except (OSError, LocalError) as error:
            if len(call_ids) == 1:
                stuck.add(call_ids[0], error)
                return
            middle = len(call_ids) // 2
            await self._erase_all(order, call_ids[:middle], made, stuck)
            await self._erase_all(order, call_ids[middle:], made, stuck)

    async def _erase(self, order: Order, call_ids: Sequence[str]) -> Certificate:
        async with self._store.read() as unit:
            paths = await recordings_of(unit.connection, call_ids)
        files = await self._files.erase(order.scope, call_ids, order.subject, paths)
        async with self._store.write() as unit:
            certificate = await erase(unit, order, call_ids, files)
        await self._store.database.empty_log()
        return certificate

    async def _forget_files(self, now: int) -> None:
        kept = self.retention
        spoken = min(filter(None, (kept.events_days, kept.transcripts_days)), default=0)
        audio = min(filter(None, (kept.events_days, kept.recordings_days)), default=0)
        await self._files.forget(
            tools_before=_before_s(now, kept.tools_days),
            logs_before=_before_s(now, spoken),
            recordings_before=_before_s(now, audio),
            captures_before=_before_s(now, kept.captures_days),
        )

    async def _follow_others(self, now: int, stuck: _Stuck) -> None:
        """Erase here what was erased elsewhere since the last round: its recordings may lie on this disk.

        What a file was in the way of is tried again in the next round.
        """
        since = self._followed_wall_ms - _OVERLAP_MS
        query = select(erasures.c.certificate_json).where(erasures.c.made_wall_ms >= since)
        async with self._store.read() as unit:
            written = list(await unit.connection.scalars(query))
        is_whole = True
        for certificate in map(decode, written):
            call_ids = [one.call_id for one in certificate.calls]
            try:
                if call_ids:
                    await self._files.erase(Scope(certificate.scope), call_ids)
            except (OSError, LocalError) as error:
                stuck.add(call_ids[0], error)
                is_whole = False
        if is_whole:
            self._followed_wall_ms = now

    def _now_ms(self) -> int:
        return round(self._clock.wall() * 1000)


def _before_s(now_wall_ms: int, days: int) -> float:
    return (now_wall_ms - days * DAY_MS) / 1000 if days else 0.0
