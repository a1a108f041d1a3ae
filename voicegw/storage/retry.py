"""Trying again what the database once refused, for instance after a fault of ours was mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from voicegw.storage.errors import Refused
from voicegw.storage.intake import Intake
from voicegw.storage.rejected import RejectedFacts
from voicegw.storage.spool import SpoolDirectory, SpooledFact
from voicegw.storage.store import Store
from voicegw.storage.tables.calls import calls


@dataclass(frozen=True, slots=True)
class Retried:
    """How many facts the database has taken, and for each call that stays aside the reason."""

    stored: int
    kept: dict[str, str]


async def retry_rejected(store: Store, directory: SpoolDirectory) -> Retried:
    """Try each call once more. ``directory``: nobody else may write calls of this node meanwhile.

    Raises StoreUnavailable and OSError.
    """
    rejected = RejectedFacts(directory.path)
    by_call: dict[str, list[SpooledFact]] = {}
    for fact in rejected.read():
        by_call.setdefault(fact.call_id, []).append(fact)
    stored, kept = 0, {}
    for call_id, facts in by_call.items():
        reason = await _take(store, directory.node, sorted(facts, key=lambda fact: fact.seq))
        if reason:
            kept[call_id] = reason
            continue
        tried = frozenset(facts)
        rejected.remove(tried.__contains__)
        stored += len(facts)
    return Retried(stored, kept)


async def _take(store: Store, node: str, facts: Sequence[SpooledFact]) -> str:
    """Why the database does not take them; empty when it has."""
    query = select(calls.c.head_seq, calls.c.seal).where(calls.c.id == facts[0].call_id)
    try:
        async with store.write() as unit:
            head = (await unit.connection.execute(query)).first()
            if head is not None and head.seal is not None:
                return "their call is sealed"
            if head is not None and facts[0].seq <= head.head_seq:
                return "later facts of the call are stored already"
            await Intake(node).take(unit.connection, facts)
    except Refused as error:
        return str(error)
    return ""
