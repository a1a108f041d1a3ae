"""The audit: who did what to what, and when; append-only and chained like the events of a call."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, and_, func, insert, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.base.ids import RandomBytes
from voicegw.storage.chain import GENESIS, SALT_BYTES, Link, flaws, make_link
from voicegw.storage.tables.people import audit

CHAIN = "audit"
_LOCK = text("SELECT pg_advisory_xact_lock(7236002)")


@dataclass(frozen=True, slots=True)
class AuditNote:
    """What is to be noted. ``before_json`` and ``after_json`` must not hold secrets; they can be erased later."""

    at_wall_ms: int
    actor: str
    action: str
    object_kind: str = ""
    object_id: str = ""
    actor_kind: str = "user"
    peer: str = ""
    before_json: str = ""
    after_json: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What was noted. ``erased`` entries still say who, what and when."""

    seq: int
    note: AuditNote
    erased: bool = False


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """All of what is set must hold."""

    actor: str | None = None
    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    from_wall_ms: int | None = None
    until_wall_ms: int | None = None


class _Details(msgspec.Struct, frozen=True):
    """What can be erased."""

    peer: str
    before_json: str
    after_json: str


_EVERYTHING = AuditFilter()


class AuditRepository:
    """Append and read; there is no edit. Appending makes writers wait for one another until they commit."""

    def __init__(self, connection: AsyncConnection, random: RandomBytes = os.urandom) -> None:
        self._connection = connection
        self._random = random

    async def append(self, note: AuditNote) -> AuditEntry:
        """Note it, in the same transaction as the change itself."""
        if self._connection.dialect.name == "postgresql":
            await self._connection.execute(_LOCK)
        last = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
        head = (await self._connection.execute(last)).first()
        seq, prev_hash = (head.seq + 1, head.hash) if head else (0, GENESIS)
        content = msgspec.json.encode(_Details(note.peer, note.before_json, note.after_json))
        link = make_link(CHAIN, prev_hash, seq, _label(note), self._random(SALT_BYTES), content)
        await self._connection.execute(
            insert(audit).values(
                seq=seq,
                at_wall_ms=note.at_wall_ms,
                actor=note.actor,
                actor_kind=note.actor_kind,
                action=note.action,
                object_kind=note.object_kind,
                object_id=note.object_id,
                salt=link.salt,
                content=link.content,
                commitment=link.commitment,
                prev_hash=link.prev_hash,
                hash=link.hash,
            )
        )
        return AuditEntry(seq, note)

    async def page(
        self, wanted: AuditFilter = _EVERYTHING, before_seq: int | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """A page, the newest first, of what came before ``before_seq``."""
        query = select(audit).where(_condition(wanted)).order_by(audit.c.seq.desc()).limit(limit)
        if before_seq is not None:
            query = query.where(audit.c.seq < before_seq)
        return [_entry(row) for row in await self._connection.execute(query)]

    async def count(self) -> int:
        """How many entries there are."""
        return int(await self._connection.scalar(select(func.count()).select_from(audit)) or 0)

    async def verify(self) -> list[str]:
        """What is wrong with the chain; empty when nothing is. Reads everything, a part at a time."""
        found: list[str] = []
        prev_hash, next_seq = GENESIS, 0
        while rows := await self._rows(next_seq):
            links = [_link(row) for row in rows]
            found += flaws(CHAIN, links, prev_hash)
            if links[0].seq != next_seq or links[-1].seq - links[0].seq != len(links) - 1:
                found.append(f"#{next_seq}: numbers are missing from here on")
            prev_hash, next_seq = links[-1].hash, links[-1].seq + 1
        return found

    async def _rows(self, from_seq: int) -> list[Row[Any]]:
        query = select(audit).where(audit.c.seq >= from_seq).order_by(audit.c.seq).limit(1000)
        return list(await self._connection.execute(query))


def _label(note: AuditNote) -> str:
    """What stays when the details are erased, as one text; hashed with each link."""
    parts = (note.at_wall_ms, note.actor, note.actor_kind, note.action, note.object_kind, note.object_id)
    return msgspec.json.encode(parts).decode()


def _link(row: Row[Any]) -> Link:
    label = _label(_entry(row).note)
    return Link(row.seq, label, row.salt, row.content, row.commitment, row.prev_hash, row.hash, row.erasure_id)


def _entry(row: Row[Any]) -> AuditEntry:
    details = _Details("", "", "")
    if row.content is not None:
        with suppress(msgspec.MsgspecError):  # somebody wrote nonsense into it; verify says so
            details = msgspec.json.decode(row.content, type=_Details)
    note = AuditNote(
        row.at_wall_ms,
        row.actor,
        row.action,
        row.object_kind,
        row.object_id,
        row.actor_kind,
        details.peer,
        details.before_json,
        details.after_json,
    )
    return AuditEntry(row.seq, note, erased=row.erasure_id is not None)


def _condition(wanted: AuditFilter) -> ColumnElement[bool]:
    columns = audit.c
    equal = [
        columns[name] == value
        for name in ("actor", "action", "object_kind", "object_id")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.from_wall_ms is not None:
        equal.append(columns.at_wall_ms >= wanted.from_wall_ms)
    if wanted.until_wall_ms is not None:
        equal.append(columns.at_wall_ms < wanted.until_wall_ms)
    return and_(true(), *equal)
