"""Facts from the call into the database: what arrives, what is folded, what outlives a dead database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from tests.unit.storage.sample_call import STARTED_WALL_MS, call_id, sample_call
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import CallWasOffered, Entry, KeyWasPressed
from voicegw.storage.call_records import CallCursor, CallDetail, CallFilter, CallSummary, StoredState, Verdict
from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store
from voicegw.storage.writer import StoreWriter
from voicegw.testing.postgres_cluster import PostgresCluster

SETTLE_S = 15.0


def stored(config: StoreConfig, calls: Iterable[tuple[CallId, list[Entry]]]) -> Counters:
    """Write these calls and wait for them."""
    counters = Counters()
    writer = StoreWriter(config, counters)
    for id, entries in calls:
        for entry in entries:
            writer.append(id, entry)
        writer.finish(id)
    assert writer.settle(SETTLE_S)
    writer.close()
    return counters


def detail(config: StoreConfig, id: str) -> tuple[CallDetail, Verdict]:
    async def look() -> tuple[CallDetail, Verdict]:
        store = Store(config)
        try:
            async with store.read() as unit:
                return await unit.calls.detail(id), await unit.calls.verify(id)
        finally:
            await store.close()

    return asyncio.run(look())


def listed(config: StoreConfig, wanted: CallFilter, limit: int = 50) -> list[CallSummary]:
    """All pages of a list."""

    async def look() -> list[CallSummary]:
        store = Store(config)
        found: list[CallSummary] = []
        after: CallCursor | None = None
        try:
            while True:
                async with store.read() as unit:
                    page = await unit.calls.page(wanted, after, limit)
                found += page.calls
                if page.next is None:
                    return found
                after = page.next
        finally:
            await store.close()

    return asyncio.run(look())


def test_a_call_is_stored_with_all_that_is_folded_from_it(config: StoreConfig) -> None:
    counters = stored(config, [(call_id(), sample_call())])
    found, verdict = detail(config, "c0")
    call = found.call
    assert (call.called, call.calling, call.agent, call.cause) == ("100", "+49301234", "reception", "caller_hangup")
    assert (call.started_wall_ms, call.duration_ms, call.caller_turns) == (STARTED_WALL_MS, 2000, 2)
    assert (call.barge_ins, call.response_p50_ms, call.has_recording) == (1, 15.5, True)
    assert [line.text for line in found.transcript][:2] == ["I want a table, part 0", "For how many"]
    assert [turn.total_ms for turn in found.turns] == [15.0, 16.0]
    assert (found.legs[0].codec, found.legs[0].packets_lost) == ("PCMA", 2)
    assert [(leg.role, leg.party) for leg in found.legs] == [("caller", "+49301234"), ("supervisor", "sam")]
    assert [(leg.mos, leg.round_trip_ms) for leg in found.legs] == [(3.9, None), (4.4, 20.0)]
    told = [(leg.peer_lost, leg.peer_jitter_ms, leg.peer_mos) for leg in found.legs]
    assert told == [(None, None, None), (3, 2.5, 4.1)], "the peer of the first has sent no RTCP"
    assert found.recording is not None and found.recording.path == "/recordings/c0.wav"
    assert verdict == Verdict((), len(sample_call()), 0, sealed=True)
    assert counters.get("store_facts_stored") == len(sample_call())
    assert list(Path(config.spool).glob("*.spool")) == []


def test_the_events_come_back_as_they_were_noted(config: StoreConfig) -> None:
    stored(config, [(call_id(), sample_call())])

    async def look() -> list[Entry | None]:
        store = Store(config)
        async with store.read() as unit:
            first = await unit.calls.events("c0", limit=4)
            rest = await unit.calls.events("c0", after_seq=first[-1].seq)
        await store.close()
        return [event.entry for event in (*first, *rest)]

    assert asyncio.run(look()) == sample_call()


def test_calls_are_found_by_what_they_are_and_what_was_said(config: StoreConfig) -> None:
    calls = [(call_id(n), sample_call(n, calling=f"+4930{n:03}", called=f"{100 + n % 2}")) for n in range(9)]
    calls.append((call_id(9), sample_call(9, calling="anonymous", said="Ein Tisch für Jörg")))
    stored(config, calls)

    def ids(**wanted: object) -> list[str]:
        return [call.id for call in listed(config, CallFilter(**wanted), limit=4)]  # type: ignore[arg-type]

    assert ids() == [f"c{n}" for n in range(9, -1, -1)]
    assert ids(number="+4930003") == ["c3"]
    assert ids(calling="+493000*") == [f"c{n}" for n in range(8, -1, -1)]
    assert ids(called="101") == ["c7", "c5", "c3", "c1"]
    assert ids(text="JORG tisch") == ["c9"]
    assert ids(text='fernandez "') == [f"c{n}" for n in range(9, -1, -1)]
    assert ids(text="nobody said this") == []
    assert ids(text="*") == ids()
    assert ids(from_wall_ms=STARTED_WALL_MS + 2000, until_wall_ms=STARTED_WALL_MS + 4000) == ["c3", "c2"]
    assert ids(numbers=("101",), agent="reception", cause="caller_hangup", failure=False) == [
        "c7",
        "c5",
        "c3",
        "c1",
    ]
    assert ids(state=StoredState.OPEN) == []


def test_tags_are_put_on_calls_and_found(config: StoreConfig) -> None:
    stored(config, [(call_id(n), sample_call(n)) for n in range(3)])

    async def tag() -> None:
        store = Store(config)
        async with store.write() as unit:
            await unit.calls.tag("c1", ("vip", "late"))
        await store.close()

    asyncio.run(tag())
    (call,) = listed(config, CallFilter(tag="vip"))
    assert (call.id, call.tags) == ("c1", ("late", "vip"))


def test_an_open_call_is_listed_before_it_ends(config: StoreConfig) -> None:
    writer = StoreWriter(config, Counters())
    for entry in sample_call()[:3]:
        writer.append(call_id(), entry)
    assert writer.settle(SETTLE_S)
    (call,) = listed(config, CallFilter(state=StoredState.OPEN))
    assert (call.agent, call.events, call.ended_wall_ms) == ("reception", 3, None)
    for entry in sample_call()[3:]:
        writer.append(call_id(), entry)
    writer.close()
    assert detail(config, "c0")[0].call.state is StoredState.ENDED


def test_what_comes_after_the_seal_is_set_aside(config: StoreConfig) -> None:
    late = Entry(99, 1.0, KeyWasPressed("5"))
    counters = stored(config, [(call_id(), sample_call()), (call_id(), [late])])
    assert detail(config, "c0")[1].whole
    assert counters.get("store_facts_rejected") == 1


def test_texts_that_no_database_takes_do_no_harm(config: StoreConfig) -> None:
    offered = CallWasOffered(call_id(), "a\0b", "1\0", "2", "\0", "no date")
    stored(config, [(call_id(), [Entry(0, 0.0, offered), *sample_call()[1:]])])
    found, verdict = detail(config, "c0")
    assert (found.call.sip_call_id, found.call.called) == ("ab", "1")
    assert verdict.whole


def test_half_an_emoji_is_made_whole(config: StoreConfig) -> None:
    entries = sample_call()
    entries[3] = Entry(3, 300.0, KeyWasPressed("\ud800"))
    counters = stored(config, [(call_id(), entries)])
    assert detail(config, "c0")[1] == Verdict((), len(entries), 0, sealed=True)
    assert counters.get("store_facts_unwritable") == 0


def test_a_fact_that_no_json_can_hold_is_counted_and_harms_no_other(config: StoreConfig) -> None:
    entries = sample_call()
    entries[3] = Entry(3, 300.0, KeyWasPressed(object()))  # type: ignore[arg-type]
    counters = stored(config, [(call_id(), entries)])
    assert detail(config, "c0")[1] == Verdict((), len(entries) - 1, 1, sealed=True)
    assert counters.get("store_facts_unwritable") == 1


def test_lost_facts_are_told_from_removed_ones(config: StoreConfig) -> None:
    entries = sample_call()
    stored(config, [(call_id(), entries[:4] + entries[6:])])
    assert detail(config, "c0")[1] == Verdict((), len(entries) - 2, 2, sealed=True)


def test_a_database_that_goes_away_is_waited_for(tmp_path: Path, cluster: PostgresCluster) -> None:
    config = StoreConfig(url=cluster.new_database(), spool=str(tmp_path / "spool"), batch_ms=5)
    counters = Counters()
    writer = StoreWriter(config, counters)
    for entry in sample_call()[:5]:
        writer.append(call_id(), entry)
    assert writer.settle(SETTLE_S)
    cluster.stop()
    for entry in sample_call()[5:]:
        writer.append(call_id(), entry)
    assert not writer.settle(0.5)
    cluster.start()
    assert writer.settle(SETTLE_S)
    writer.close()
    assert detail(config, "c0")[1] == Verdict((), len(sample_call()), 0, sealed=True)
    assert counters.get("store_outages") == 1


def test_a_node_starts_while_its_database_is_away(tmp_path: Path) -> None:
    spool = str(tmp_path / "spool")
    counters = Counters()
    away = StoreWriter(StoreConfig(url="postgresql://x@127.0.0.1:1/x", spool=spool, batch_ms=5), counters)
    for entry in sample_call():
        away.append(call_id(), entry)
    away.flush()
    away.close()
    config = StoreConfig(url=f"sqlite:///{tmp_path}/store.sqlite", spool=spool, batch_ms=5)
    stored(config, [(call_id(1), sample_call(1))])
    assert [detail(config, id)[1].events for id in ("c0", "c1")] == [len(sample_call())] * 2
