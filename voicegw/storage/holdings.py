"""What is kept of one number, class by class, and the certificates of what was erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.certificates import Certificate, decode, hash_of
from voicegw.storage.erasure import calls_of_number, open_calls_of_number
from voicegw.storage.errors import NotFound
from voicegw.storage.tables.calls import call_events, recordings, transcripts
from voicegw.storage.tables.hooks import webhook_deliveries
from voicegw.storage.tables.people import audit
from voicegw.storage.tables.proofs import erasures

_MANY = 5000
"""Values in one statement; databases take 30,000."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """How much there is. ``open_calls`` go on: nothing of them can be erased yet."""

    ended_calls: tuple[str, ...]
    open_calls: tuple[str, ...]
    events: int
    transcript_lines: int
    recordings: int
    webhook_deliveries: int
    """Messages that name the number; those that name its calls only are not counted here, but erased with them."""

    @property
    def calls(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.ended_calls, *self.open_calls)


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """``whole``: the text still has the hash that was written down. ``noted``: the audit holds that hash."""

    certificate: Certificate
    hash: bytes
    whole: bool
    noted: bool


async def holdings(connection: AsyncConnection, number: str) -> Holdings:
    """Look a number up, as it was signalled."""
    ended = await calls_of_number(connection, number)
    still_open = await open_calls_of_number(connection, number)
    ids = (*ended, *still_open)
    mentions = webhook_deliveries.c.payload_json.contains(number, autoescape=True)
    told = await connection.scalar(select(func.count()).select_from(webhook_deliveries).where(mentions))
    return Holdings(
        ended,
        still_open,
        await _count(connection, call_events, ids),
        await _count(connection, transcripts, ids),
        await _count(connection, recordings, ids),
        int(told or 0),
    )


async def certificates(
    connection: AsyncConnection, before: tuple[int, str] | None, limit: int
) -> list[StoredCertificate]:
    """A page, the newest first, behind the certificate of that time and id."""
    query = select(erasures).order_by(erasures.c.made_wall_ms.desc(), erasures.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(erasures.c.made_wall_ms, erasures.c.id) < tuple_(*before))
    return [await _stored(connection, row) for row in await connection.execute(query)]


async def certificate(connection: AsyncConnection, id: str) -> StoredCertificate:
    """One of them; raises NotFound."""
    row = (await connection.execute(select(erasures).where(erasures.c.id == id))).first()
    if row is None:
        raise NotFound(f"there is no erasure {id}")
    return await _stored(connection, row)


async def _stored(connection: AsyncConnection, row: Row[Any]) -> StoredCertificate:
    noted = and_(audit.c.object_kind == "erasure", audit.c.object_id == row.id, audit.c.action == "data.erase")
    content = await connection.scalar(select(audit.c.content).where(noted))
    is_noted = content is not None and row.hash.hex().encode() in content
    is_whole = hash_of(row.certificate_json) == row.hash
    return StoredCertificate(decode(row.certificate_json), row.hash, is_whole, is_noted)


async def _count(connection: AsyncConnection, table: Table, ids: Sequence[str]) -> int:
    """Rows of these calls that still have something in them."""
    there = [table.c.content.is_not(None)] if table is call_events else []
    if table is recordings:
        there = [table.c.deleted_wall_ms.is_(None)]
    count = 0
    for at in range(0, len(ids), _MANY):
        mine = table.c.call_id.in_(ids[at : at + _MANY])
        count += int(await connection.scalar(select(func.count()).select_from(table).where(mine, *there)) or 0)
    return count
