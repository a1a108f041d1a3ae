"""Putting spooled facts into the database: chained, folded, each call's in order, in one transaction for a batch.

What is there already is recognised by the head of its call's chain and left out, so that a batch may come twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.call.facts import decode_entry
from voicegw.storage import word_index
from voicegw.storage.call_records import StoredState
from voicegw.storage.chain import GENESIS, Link, make_link, seal
from voicegw.storage.folds import CallFold, Row
from voicegw.storage.outbox_feed import feed_outbox
from voicegw.storage.spool import SpooledFact
from voicegw.storage.tables.calls import call_events, calls, legs, recordings, transcripts, turns

_FOLDED: tuple[Table, ...] = (legs, transcripts, turns, recordings)

# Made once: each one made anew is a cycle or more of SQLAlchemy's, and they are of every batch.
_HEADS = select(
    *(calls.c[name] for name in ("id", "started_wall_ms", "events", "head_seq", "head_hash", "seal"))
).where(calls.c.id.in_(bindparam("these", expanding=True)))
_KNOWN = update(calls).where(calls.c.id == bindparam("of_call"))
_UNFOLD = tuple(
    (table, delete(table).where(table.c.call_id.in_(bindparam("these", expanding=True))), insert(table))
    for table in _FOLDED
)


@dataclass(slots=True)
class _Chain:
    """Where the chain of one call ends, and what this batch adds to it."""

    fold: CallFold
    stored: bool
    events: int = 0
    head_seq: int = -1
    head_hash: bytes = GENESIS
    sealed: bool = False
    last_wall_ms: int = 0
    added: list[Link] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: how many facts were new, and those that came after the seal of their call.

    ``refused`` are calls that ended in it and whose callers had refused to be recorded.
    """

    facts: int
    late: tuple[SpooledFact, ...]
    refused: tuple[str, ...]


class Intake:
    """The only writer of calls. Keeps the folds of open calls between batches."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._folds: dict[str, CallFold] = {}

    async def take(self, connection: AsyncConnection, batch: Sequence[SpooledFact]) -> Taken:
        """Write a batch in the transaction of ``connection``. When that fails, call :meth:`forget`."""
        chains = await self._chains(connection, batch)
        late = [fact for fact in batch if not _add(chains[fact.call_id], fact)]
        grown = {call_id: chain for call_id, chain in chains.items() if chain.added}
        await self._write_calls(connection, grown)
        rows = [_event_row(call_id, link) for call_id, chain in grown.items() for link in chain.added]
        if rows:
            await connection.execute(insert(call_events), rows)
            await feed_outbox(connection, rows, batch[-1].wall_ms)
        ended = [chain.fold for chain in grown.values() if chain.fold.ended]
        await write_folded(connection, ended)
        for fold in ended:
            self._folds.pop(fold.call_id, None)
        return Taken(len(rows), tuple(late), _refused(ended))

    async def give_up_open_calls(
        self, connection: AsyncConnection, now_wall_ms: int
    ) -> tuple[list[str], tuple[str, ...]]:
        """Seal as lost what is still open of this node: an earlier process died in the middle of these calls.

        Returns their ids, and of them those whose callers had refused to be recorded.
        """
        mine = select(calls).where(calls.c.node == self._node, calls.c.state == StoredState.OPEN.value)
        lost = list(await connection.execute(mine))
        folds = []
        for row in lost:
            fold = await _rebuilt(connection, row.id, row.started_wall_ms)
            values = {"state": StoredState.LOST.value, "seal": seal(row.id, row.events, row.head_hash)}
            sealed = update(calls).where(calls.c.id == row.id)
            await connection.execute(sealed.values({**values, "sealed_wall_ms": now_wall_ms}))
            await write_folded(connection, [fold])
            folds.append(fold)
            self._folds.pop(row.id, None)
        return [row.id for row in lost], _refused(folds)

    def forget(self) -> None:
        """The transaction failed: what was folded in it did not happen."""
        self._folds.clear()

    async def _chains(self, connection: AsyncConnection, batch: Sequence[SpooledFact]) -> dict[str, _Chain]:
        first = {fact.call_id: fact for fact in reversed(batch)}
        rows = {row.id: row for row in await connection.execute(_HEADS, {"these": list(first)})}
        chains: dict[str, _Chain] = {}
        for call_id, fact in first.items():
            if (row := rows.get(call_id)) is None:
                fold = self._folds.setdefault(call_id, CallFold(call_id, fact.wall_ms))
                chains[call_id] = _Chain(fold, stored=False)
                continue
            head = (row.events, row.head_seq, row.head_hash)
            if row.seal is not None:
                chains[call_id] = _Chain(CallFold(call_id, row.started_wall_ms), True, *head, sealed=True)
                continue
            if call_id not in self._folds:
                self._folds[call_id] = await _rebuilt(connection, call_id, row.started_wall_ms)
            chains[call_id] = _Chain(self._folds[call_id], True, *head)
        return chains

    async def _write_calls(self, connection: AsyncConnection, grown: Mapping[str, _Chain]) -> None:
        new: list[Row] = []
        known: list[Row] = []
        for call_id, chain in grown.items():
            row = {**chain.fold.summary(), **_head(call_id, chain)}
            if chain.stored:
                known.append({**row, "of_call": call_id})
            else:
                new.append({**row, "id": call_id, "node": self._node})
        if new:
            await connection.execute(insert(calls), new)
        if known:
            await connection.execute(_KNOWN, known)


async def write_folded(connection: AsyncConnection, folds: Sequence[CallFold]) -> None:
    """Write what is folded from these calls beside their summaries, instead of what was there."""
    rows: dict[str, list[Row]] = {table.name: [] for table in _FOLDED}
    for fold in folds:
        made = {"legs": fold.legs(), "transcripts": fold.transcript(), "turns": fold.turns()}
        for name, some in {**made, "recordings": fold.recordings()}.items():
            rows[name] += [{**row, "call_id": fold.call_id} for row in some]
    words = {fold.call_id: fold.words() for fold in folds}
    if not words:
        return
    for table, unfold, fold_again in _UNFOLD:
        await connection.execute(unfold, {"these": list(words)})
        if rows[table.name]:
            await connection.execute(fold_again, rows[table.name])
    await word_index.put(connection, words)


async def _rebuilt(connection: AsyncConnection, call_id: str, started_wall_ms: int) -> CallFold:
    """The fold of a call from its stored events."""
    fold = CallFold(call_id, started_wall_ms)
    query = select(call_events.c.content).where(call_events.c.call_id == call_id).order_by(call_events.c.seq)
    for content in await connection.scalars(query):
        _fold_in(fold, content)
    return fold


def _fold_in(fold: CallFold, content: bytes | None) -> None:
    """Erased contents, and facts of a later version, tell nothing."""
    if content is None:
        return
    try:
        entry = decode_entry(content)
    except msgspec.DecodeError:
        return
    fold.add(entry)


def _add(chain: _Chain, fact: SpooledFact) -> bool:
    """Chain and fold a fact that is not there yet; False when it comes after the seal."""
    if fact.seq <= chain.head_seq:
        return True
    if chain.sealed:
        return False
    link = make_link(fact.call_id, chain.head_hash, fact.seq, fact.kind, fact.salt, fact.content)
    chain.added.append(link)
    chain.events, chain.head_seq, chain.head_hash = chain.events + 1, fact.seq, link.hash
    _fold_in(chain.fold, fact.content)
    chain.sealed, chain.last_wall_ms = chain.fold.ended, fact.wall_ms
    return True


def _refused(folds: Sequence[CallFold]) -> tuple[str, ...]:
    return tuple(fold.call_id for fold in folds if fold.refused)


def _head(call_id: str, chain: _Chain) -> dict[str, Any]:
    state = StoredState.ENDED if chain.sealed else StoredState.OPEN
    made = seal(call_id, chain.events, chain.head_hash) if chain.sealed else None
    head = {"events": chain.events, "head_seq": chain.head_seq, "head_hash": chain.head_hash}
    return {
        **head,
        "state": state.value,
        "seal": made,
        "sealed_wall_ms": chain.last_wall_ms if chain.sealed else None,
    }


def _event_row(call_id: str, link: Link) -> Row:
    return {
        "call_id": call_id,
        "seq": link.seq,
        "kind": link.label,
        "salt": link.salt,
        "content": link.content,
        "commitment": link.commitment,
        "prev_hash": link.prev_hash,
        "hash": link.hash,
    }
