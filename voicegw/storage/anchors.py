"""Anchors: from time to time one hash over the seals of all calls that ended since the last, chained to that one.

A chain shows what was done to a call; that a whole call is gone shows here. An anchor's hash belongs outside the
database as well (the log has it): whoever can rewrite everything cannot rewrite that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.chain import GENESIS, digest
from voicegw.storage.tables.calls import calls
from voicegw.storage.tables.proofs import anchored_calls, anchors

MOST_CALLS: Final = 2000
"""In one anchor. With 15,000 of a busy hour in one a gateway kept 5 MB for the rest of its life."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Number, moment, how many calls it holds, and the hash that holds it and all before."""

    anchor_no: int
    until_wall_ms: int
    calls: int
    hash: bytes


async def make_anchor(connection: AsyncConnection, now_wall_ms: int) -> Anchor | None:
    """Anchor ``MOST_CALLS`` of the sealed calls that are not yet; None when there are none. One node at a time."""
    anchored = exists().where(anchored_calls.c.call_id == calls.c.id)
    new = select(calls.c.id, calls.c.seal).where(calls.c.seal.is_not(None), ~anchored).order_by(calls.c.id)
    seals = [(row.id, row.seal) for row in await connection.execute(new.limit(MOST_CALLS))]
    if not seals:
        return None
    last = select(anchors.c.anchor_no, anchors.c.hash).order_by(anchors.c.anchor_no.desc()).limit(1)
    head = (await connection.execute(last)).first()
    number, prev_hash = (head.anchor_no + 1, head.hash) if head else (0, GENESIS)
    root = _root(seals)
    made = _hash(prev_hash, number, now_wall_ms, len(seals), root)
    row = {"anchor_no": number, "until_wall_ms": now_wall_ms, "calls": len(seals), "root": root}
    row |= {"prev_hash": prev_hash, "hash": made, "made_wall_ms": now_wall_ms}
    await connection.execute(insert(anchors).values(row))
    members = [{"anchor_no": number, "call_id": call_id, "seal": seal} for call_id, seal in seals]
    await connection.execute(insert(anchored_calls), members)
    return Anchor(number, now_wall_ms, len(seals), made)


async def list_anchors(connection: AsyncConnection) -> tuple[Anchor, ...]:
    """All anchors, the oldest first."""
    columns = (anchors.c.anchor_no, anchors.c.until_wall_ms, anchors.c.calls, anchors.c.hash)
    rows = await connection.execute(select(*columns).order_by(anchors.c.anchor_no))
    return tuple(Anchor(*row) for row in rows)


async def verify_anchors(connection: AsyncConnection) -> list[str]:
    """What is wrong: anchors changed or removed, calls gone or sealed anew; empty when nothing is."""
    found: list[str] = []
    prev_hash = GENESIS
    for number, row in enumerate(await connection.execute(select(anchors).order_by(anchors.c.anchor_no))):
        members = await _members(connection, row.anchor_no)
        if row.anchor_no != number or row.prev_hash != prev_hash:
            found.append(f"anchor {number}: it is missing, or does not follow the one before it")
        if row.root != _root([(call_id, seal) for call_id, seal, _now in members]):
            found.append(f"anchor {row.anchor_no}: the list of its calls was changed")
        if row.hash != _hash(row.prev_hash, row.anchor_no, row.until_wall_ms, row.calls, row.root):
            found.append(f"anchor {row.anchor_no}: its hash does not fit")
        for call_id, seal, now in members:
            if now is None:
                found.append(f"call {call_id}: it is gone")
            elif now != seal:
                found.append(f"call {call_id}: it was sealed anew")
        prev_hash = row.hash
    return found


async def _members(connection: AsyncConnection, anchor_no: int) -> list[tuple[str, bytes, bytes | None]]:
    joined = anchored_calls.outerjoin(calls, calls.c.id == anchored_calls.c.call_id)
    query = select(anchored_calls.c.call_id, anchored_calls.c.seal, calls.c.seal.label("now")).select_from(joined)
    mine = query.where(anchored_calls.c.anchor_no == anchor_no).order_by(anchored_calls.c.call_id)
    return [(row.call_id, row.seal, row.now) for row in await connection.execute(mine)]


def _root(seals: Iterable[tuple[str, bytes]]) -> bytes:
    return digest("voicegw anchor root", *(part for call_id, seal in seals for part in (call_id.encode(), seal)))


def _hash(prev_hash: bytes, number: int, until_wall_ms: int, calls_in_it: int, root: bytes) -> bytes:
    numbers = (value.to_bytes(8, "big") for value in (number, until_wall_ms, calls_in_it))
    return digest("voicegw anchor", prev_hash, *numbers, root)
