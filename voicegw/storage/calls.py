"""Reading calls: pages of a list, one call in full, its events, and whether its chain is whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Table,
    and_,
    delete,
    exists,
    false,
    insert,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.call.facts import Entry, decode_entry
from voicegw.call.recording_facts import RecordingWasDescribed
from voicegw.storage import certificates, word_index
from voicegw.storage.call_records import (
    CallCursor,
    CallDetail,
    CallFilter,
    CallLimits,
    CallPage,
    CallSummary,
    StoredEvent,
    StoredLeg,
    StoredLine,
    StoredRecording,
    StoredState,
    StoredTurn,
    Verdict,
)
from voicegw.storage.chain import Link, flaws, seal
from voicegw.storage.errors import NotFound
from voicegw.storage.tables.calls import call_events, call_tags, calls, legs, recordings, transcripts, turns
from voicegw.storage.tables.proofs import erasures

_COLUMNS = [calls.c[name] for name in CallSummary.__slots__ if name != "tags"]
_LAST_CHARACTER = "\U0010ffff"
D = TypeVar("D")


_EVERY_CALL = CallFilter()


class CallRepository:
    """Calls, in one transaction. They are written by the store's writer alone, but for their tags."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(
        self, wanted: CallFilter = _EVERY_CALL, after: CallCursor | None = None, limit: int = 50
    ) -> CallPage:
        """A page of calls, the newest first."""
        conditions = _conditions(wanted)
        if after is not None:
            behind = tuple_(calls.c.started_wall_ms, calls.c.id) < (after.started_wall_ms, after.id)
            conditions.append(behind)
        newest = (calls.c.started_wall_ms.desc(), calls.c.id.desc())
        query = select(*_COLUMNS).where(and_(true(), *conditions)).order_by(*newest)
        rows = await self._rows_with_words(query, wanted.text or "", limit + 1)
        found = await self._with_tags([_summary(row) for row in rows[:limit]])
        more = len(rows) > limit
        return CallPage(tuple(found), CallCursor(found[-1].started_wall_ms, found[-1].id) if more else None)

    async def _rows_with_words(self, query: Select[Any], words: str, limit: int) -> list[Row[Any]]:
        dialect = self._connection.dialect.name
        recent = word_index.newest(words, query) if dialect == "postgresql" else None
        if recent is not None:
            rows = list(await self._connection.execute(recent.limit(limit)))
            if len(rows) == limit:
                return rows
        condition = word_index.query(words, dialect)
        every = query if condition is None else query.where(condition)
        return list(await self._connection.execute(every.limit(limit)))

    async def get(self, call_id: str) -> CallSummary:
        """One call; raises NotFound."""
        row = (await self._connection.execute(select(*_COLUMNS).where(calls.c.id == call_id))).first()
        if row is None:
            raise NotFound(f"there is no call {call_id}")
        return (await self._with_tags([_summary(row)]))[0]

    async def detail(self, call_id: str) -> CallDetail:
        """One call with all that was folded from its facts; raises NotFound."""
        parties = tuple(await self._rows(legs, StoredLeg, call_id, "leg_no"))
        return CallDetail(
            await self.get(call_id),
            parties,
            tuple(await self._rows(transcripts, StoredLine, call_id, "line_no")),
            tuple(await self._rows(turns, StoredTurn, call_id, "turn_no")),
            await self.recording(call_id),
            await self._described(call_id) if any(leg.role == "stream" for leg in parties) else None,
        )

    async def _described(self, call_id: str) -> RecordingWasDescribed | None:
        """The newest metadata of a recording session that could be read, and was not erased."""
        kind = RecordingWasDescribed.__name__
        these = and_(call_events.c.call_id == call_id, call_events.c.kind == kind)
        query = select(call_events).where(these).order_by(call_events.c.seq.desc())
        for row in await self._connection.execute(query):
            entry = _decoded(row.content)
            if entry is not None and isinstance(entry.data, RecordingWasDescribed) and entry.data.readable:
                return entry.data
        return None

    async def recording(self, call_id: str) -> StoredRecording | None:
        """Where the audio of a call is."""
        found = await self._rows(recordings, StoredRecording, call_id, "call_id")
        return found[0] if found else None

    async def events(self, call_id: str, after_seq: int = -1, limit: int = 1000) -> tuple[StoredEvent, ...]:
        """The events of a call in order, behind ``after_seq``."""
        behind = and_(call_events.c.call_id == call_id, call_events.c.seq > after_seq)
        query = select(call_events).where(behind).order_by(call_events.c.seq).limit(limit)
        return tuple(_event(row) for row in await self._connection.execute(query))

    async def tag(self, call_id: str, tags: tuple[str, ...]) -> None:
        """Replace the tags of a call; raises NotFound."""
        await self.get(call_id)
        await self._connection.execute(delete(call_tags).where(call_tags.c.call_id == call_id))
        if tags:
            rows = [{"call_id": call_id, "tag": tag} for tag in sorted(set(tags))]
            await self._connection.execute(insert(call_tags), rows)

    async def verify(self, call_id: str) -> Verdict:
        """Recompute the chain of a call; raises NotFound where the call itself is gone (its anchor says so)."""
        query = select(calls.c.events, calls.c.head_seq, calls.c.head_hash, calls.c.seal)
        head = (await self._connection.execute(query.where(calls.c.id == call_id))).first()
        if head is None:
            raise NotFound(f"there is no call {call_id}")
        mine = select(call_events).where(call_events.c.call_id == call_id).order_by(call_events.c.seq)
        links = [_link(row) for row in await self._connection.execute(mine)]
        found = flaws(call_id, links)
        last_seq, last_hash = (links[-1].seq, links[-1].hash) if links else (-1, None)
        if (head.events, head.head_seq, head.head_hash) != (len(links), last_seq, last_hash):
            found.append("the call does not end where its record says: events are missing or too many")
        if head.seal is not None and head.seal != seal(call_id, head.events, head.head_hash):
            found.append("its seal does not fit")
        found += await self._unproven_erasures(call_id, links)
        return Verdict(tuple(found), len(links), last_seq + 1 - len(links), head.seal is not None)

    async def _unproven_erasures(self, call_id: str, links: list[Link]) -> list[str]:
        """Contents that are missing under an erasure of which no certificate tells."""
        ids = {link.erasure_id for link in links if link.erasure_id is not None}
        query = select(erasures.c.id, erasures.c.certificate_json, erasures.c.hash).where(erasures.c.id.in_(ids))
        rows = list(await self._connection.execute(query)) if ids else []
        proven = {row.id for row in rows if _is_certified(row.certificate_json, row.hash, call_id)}
        return [f"erasure {id}: no certificate names this call" for id in sorted(ids - proven)]

    async def _with_tags(self, found: list[CallSummary]) -> list[CallSummary]:
        wanted = call_tags.c.call_id.in_([one.id for one in found])
        tags: dict[str, list[str]] = {}
        if found:
            for row in await self._connection.execute(select(call_tags).where(wanted).order_by(call_tags.c.tag)):
                tags.setdefault(row.call_id, []).append(row.tag)
        return [_tagged(one, tuple(tags[one.id])) if one.id in tags else one for one in found]

    async def _rows(self, table: Table, record: type[D], call_id: str, order: str) -> list[D]:
        fields: tuple[str, ...] = record.__slots__  # type: ignore[attr-defined]
        query = select(*(table.c[name] for name in fields)).where(table.c.call_id == call_id)
        return [
            record(**row) for row in (await self._connection.execute(query.order_by(table.c[order]))).mappings()
        ]


def _tagged(one: CallSummary, tags: tuple[str, ...]) -> CallSummary:
    return replace(one, tags=tags)


def _summary(row: Row[Any]) -> CallSummary:
    values = dict(row._mapping)
    return CallSummary(**{**values, "state": StoredState(values["state"])})


def _event(row: Row[Any]) -> StoredEvent:
    return StoredEvent(row.seq, row.kind, _decoded(row.content), row.content, row.hash, row.erasure_id)


def _decoded(content: bytes | None) -> Entry | None:
    if content is None:
        return None
    try:
        return decode_entry(content)
    except msgspec.DecodeError:
        return None


def _link(row: Row[Any]) -> Link:
    return Link(row.seq, row.kind, row.salt, row.content, row.commitment, row.prev_hash, row.hash, row.erasure_id)


def _is_certified(written: str, hash: bytes, call_id: str) -> bool:
    if hash != certificates.hash_of(written):
        return False
    return any(one.call_id == call_id for one in certificates.decode(written).calls)


def _conditions(wanted: CallFilter) -> list[ColumnElement[bool]]:
    columns = calls.c
    found: list[ColumnElement[bool]] = []
    for name in ("agent", "route", "cause", "failure"):
        if (value := getattr(wanted, name)) is not None:
            found.append(columns[name] == value)
    if wanted.state is not None:
        found.append(columns.state == wanted.state.value)
    if wanted.number is not None:
        found.append(
            or_(_is_or_begins(columns.called, wanted.number), _is_or_begins(columns.calling, wanted.number))
        )
    if wanted.called is not None:
        found.append(_is_or_begins(columns.called, wanted.called))
    if wanted.calling is not None:
        found.append(_is_or_begins(columns.calling, wanted.calling))
    if wanted.from_wall_ms is not None:
        found.append(columns.started_wall_ms >= wanted.from_wall_ms)
    if wanted.until_wall_ms is not None:
        found.append(columns.started_wall_ms < wanted.until_wall_ms)
    if wanted.numbers:
        found.append(columns.called.in_(wanted.numbers))
    if wanted.within is not None:
        found.append(_within(wanted.within))
    if wanted.tag is not None:
        found.append(exists().where(call_tags.c.call_id == columns.id, call_tags.c.tag == wanted.tag))
    return found


def _within(limits: CallLimits) -> ColumnElement[bool]:
    either = [
        _is_or_begins(column, number) for number in limits.numbers for column in (calls.c.called, calls.c.calling)
    ]
    return or_(false(), calls.c.agent.in_(limits.agents), *either)


def _is_or_begins(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    if not pattern.endswith("*"):
        return column == pattern
    prefix = pattern[:-1]
    return and_(column >= prefix, column < prefix + _LAST_CHARACTER)
