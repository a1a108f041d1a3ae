"""Calls of a node that died, ended in the store by another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from voicegw.base.causes import HangupCause
from voicegw.base.ids import CallId, RandomBytes
from voicegw.call.facts import CallHasEnded, Entry, encode_entry
from voicegw.storage.call_records import StoredState
from voicegw.storage.chain import SALT_BYTES
from voicegw.storage.intake import Intake
from voicegw.storage.spool import SpooledFact
from voicegw.storage.store import Store
from voicegw.storage.tables.calls import calls

_LONGEST_MS: Final = 2**31 - 1


def last_fact(seq: int, duration_ms: float) -> Entry:
    """The fact that ends a call whose node is gone, in the name of that node."""
    why = HangupCause.NODE_LOST.value
    ended = CallHasEnded(why.name, why.side.value, why.failure, why.q850, why.text, duration_ms)
    return Entry(seq, duration_ms, ended)


async def end_lost_calls(
    store: Store, call_ids: Sequence[CallId], now_wall_ms: int, random: RandomBytes
) -> dict[CallId, Entry]:
    """End those that are still open, and return the last fact of each; one that has ended is left as it is.

    Raises StoreUnavailable. May be called again, by whichever node.
    """
    columns = (calls.c.id, calls.c.head_seq, calls.c.started_wall_ms)
    these = calls.c.id.in_(call_ids) & (calls.c.state == StoredState.OPEN.value)
    async with store.write() as unit:
        open_calls = await unit.connection.execute(select(*columns).where(these).order_by(calls.c.id))
        entries = {
            CallId(row.id): last_fact(row.head_seq + 1, _duration_ms(row.started_wall_ms, now_wall_ms))
            for row in open_calls
        }
        batch = [_spooled(call_id, entry, now_wall_ms, random) for call_id, entry in entries.items()]
        if batch:
            await Intake("").take(unit.connection, batch)
    return entries


def _duration_ms(started_wall_ms: int, now_wall_ms: int) -> float:
    """What a column can hold, even where a node comes back to a database that was put aside for months."""
    return float(min(max(0, now_wall_ms - started_wall_ms), _LONGEST_MS))


def _spooled(call_id: CallId, entry: Entry, wall_ms: int, random: RandomBytes) -> SpooledFact:
    kind = type(entry.data).__name__
    return SpooledFact(call_id, entry.seq, kind, wall_ms, random(SALT_BYTES), encode_entry(entry)[:-1])
