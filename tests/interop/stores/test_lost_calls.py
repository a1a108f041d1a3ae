"""Calls of a node that died are ended in the store by another one: once, and so that their chains are whole."""

from __future__ import annotations

import asyncio
import os

from tests.interop.stores.test_writer import SETTLE_S, detail
from tests.unit.storage.sample_call import STARTED_WALL_MS, call_id, sample_call
from voicegw.base.metrics import Counters
from voicegw.call.facts import CallHasEnded, Entry
from voicegw.storage.call_records import StoredState
from voicegw.storage.config import StoreConfig
from voicegw.storage.lost_calls import end_lost_calls
from voicegw.storage.store import Store
from voicegw.storage.writer import StoreWriter

LATER_MS = STARTED_WALL_MS + 10**12
"""Decades: a clock may be wrong."""


def ended(config: StoreConfig) -> dict[str, Entry]:
    async def end() -> dict[str, Entry]:
        store = Store(config)
        try:
            found = await end_lost_calls(store, [call_id(0), call_id(1)], LATER_MS, os.urandom)
            return {str(id): entry for id, entry in found.items()}
        finally:
            await store.close()

    return asyncio.run(end())


def test_open_calls_are_ended_once_and_others_are_left_alone(config: StoreConfig) -> None:
    writer = StoreWriter(config, Counters())
    whole = list(sample_call(1))
    for id, entries in ((call_id(0), list(sample_call(0))[:3]), (call_id(1), whole)):
        for entry in entries:
            writer.append(id, entry)
    assert writer.settle(SETTLE_S)
    found = ended(config)
    assert list(found) == [call_id(0)] and found[call_id(0)].seq == 3
    assert isinstance(found[call_id(0)].data, CallHasEnded)
    assert ended(config) == {}
    writer.close()
    lost, verdict = detail(config, call_id(0))
    assert (lost.call.cause, lost.call.side, lost.call.state) == ("node_lost", "local", StoredState.ENDED)
    assert verdict.whole and lost.call.failure
    untouched, verdict = detail(config, call_id(1))
    assert untouched.call.cause != "node_lost" and verdict.whole
