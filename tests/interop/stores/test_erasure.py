"""Erasing what is known of a number, retention, anchors: contents go, and what is left still proves itself."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, text, update

from tests.interop.stores.test_repositories import run
from tests.interop.stores.test_writer import stored
from tests.unit.storage.sample_call import STARTED_WALL_MS, call_id, sample_call
from voicegw.storage.anchors import make_anchor, verify_anchors
from voicegw.storage.audit import AuditNote
from voicegw.storage.call_records import CallFilter
from voicegw.storage.certificates import subject_hash
from voicegw.storage.config import RetentionConfig, StoreConfig
from voicegw.storage.export import calls_to_export, export_zip
from voicegw.storage.maintenance import DAY_MS, Maintenance
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.store import Store, Unit
from voicegw.storage.tables.calls import call_events, calls
from voicegw.storage.tables.proofs import anchored_calls, erasures
from voicegw.testing.manual_clock import ManualClock

MINE, OTHER = "+4930111222", "+4930333444"
TABLES = ("calls", "call_events", "transcripts", "legs", "recordings", "audit", "webhook_deliveries", "erasures")


@pytest.fixture
def filled(config: StoreConfig) -> StoreConfig:
    """Three calls of one number, one of another."""
    numbers = [MINE, MINE, OTHER, MINE]
    stored(config, [(call_id(n), sample_call(n, calling=number)) for n, number in enumerate(numbers)])
    return config


def keeper(
    store: Store, retention: RetentionConfig, removed: list[str], days: float = 0.0, node: str | None = None
) -> Maintenance:
    clock = ManualClock()
    clock.advance(STARTED_WALL_MS / 1000 + days * 86400 - clock.wall())
    files = NodeFiles(Path("nowhere"), remove=lambda path: removed.append(str(path)))
    return Maintenance(store, retention, clock, files, node)


async def everything(unit: Unit) -> str:
    """All that is stored, as text; bytes as they are."""
    rows = [
        repr(tuple(row))
        for table in TABLES
        for row in await unit.connection.execute(text(f"SELECT * FROM {table}"))
    ]
    return "\n".join(rows)


def test_everything_of_a_number_goes_and_the_chains_stay(filled: StoreConfig) -> None:
    async def body(store: Store) -> None:
        removed: list[str] = []
        async with store.write() as unit:
            note = AuditNote(1, "ann", "call.listen", "call", "c0", after_json=f'{{"calling":"{MINE}"}}')
            await unit.audit.append(note)
            assert MINE in await everything(unit)
        certificate = await keeper(store, RetentionConfig(), removed).erase_number(
            MINE, actor="ann", reason="asked"
        )
        assert [one.call_id for one in certificate.calls] == ["c0", "c1", "c3"]
        assert certificate.audit_entries == (0,)
        assert certificate.subject == subject_hash(MINE, bytes.fromhex(certificate.subject_salt))
        assert removed == ["/recordings/c0.wav", "/recordings/c1.wav", "/recordings/c3.wav"]
        async with store.read() as unit:
            assert MINE not in await everything(unit)
            for id in ("c0", "c1", "c2", "c3"):
                verdict = await unit.calls.verify(id)
                assert verdict.whole and verdict.sealed
            assert await unit.audit.verify() == []
            assert (await unit.calls.page(CallFilter(number=MINE))).calls == ()
            assert [call.id for call in (await unit.calls.page(CallFilter(text="table"))).calls] == ["c2"]
            erased = await unit.calls.detail("c0")
            assert (erased.transcript, erased.call.cause, len(erased.turns)) == ((), "caller_hangup", 2)

    run(filled, body)


def test_an_erasure_without_its_certificate_is_seen(filled: StoreConfig) -> None:
    async def body(store: Store) -> None:
        await keeper(store, RetentionConfig(), []).erase_number(MINE, actor="ann", reason="asked")
        async with store.write() as unit:
            await unit.connection.execute(delete(erasures))
            assert not (await unit.calls.verify("c0")).whole
            gone = update(call_events).where(call_events.c.call_id == "c2", call_events.c.seq == 3)
            await unit.connection.execute(gone.values(content=None, salt=None, erasure_id="e1"))
            assert len((await unit.calls.verify("c2")).flaws) == 1

    run(filled, body)


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        (RetentionConfig(transcripts_days=10), (0, True, MINE)),
        (RetentionConfig(recordings_days=10), (4, False, MINE)),
        (RetentionConfig(events_days=10), (0, False, "")),
        (RetentionConfig(), (4, True, MINE)),
    ],
)
def test_each_class_of_data_is_kept_as_long_as_it_is_said(
    filled: StoreConfig, kept: RetentionConfig, left: tuple[int, bool, str]
) -> None:
    async def body(store: Store) -> None:
        assert (await keeper(store, kept, [], days=9).round()).certificates == ()
        await keeper(store, kept, [], days=11).round()
        assert (await keeper(store, kept, [], days=12).round()).certificates == ()
        async with store.read() as unit:
            detail = await unit.calls.detail("c0")
            assert (len(detail.transcript), detail.call.has_recording, detail.call.calling) == left
            assert (await unit.calls.verify("c0")).whole

    run(filled, body)


def test_retention_leaves_the_calls_of_other_nodes_to_them(filled: StoreConfig) -> None:
    async def body(store: Store) -> None:
        kept, removed = RetentionConfig(recordings_days=10), list[str]()
        assert (await keeper(store, kept, removed, days=11, node="another").round()).certificates == ()
        async with store.read() as unit:
            node = (await unit.calls.get("c0")).node
        await keeper(store, kept, removed, days=11, node=node).round()
        assert len(removed) == 4

    run(filled, body)


def test_details_of_the_audit_go_and_who_did_what_stays(config: StoreConfig) -> None:
    async def body(store: Store) -> None:
        async with store.write() as unit:
            await unit.audit.append(AuditNote(STARTED_WALL_MS, "ann", "user.change", "user", "u1", after_json="{}"))
        done = await keeper(store, RetentionConfig(audit_days=5), [], days=6).round()
        assert done.certificates[0].audit_entries == (0,)
        async with store.read() as unit:
            first = (await unit.audit.page())[-1]
            assert (first.note.actor, first.note.after_json, first.erased) == ("ann", "", True)
            assert await unit.audit.verify() == []

    run(config, body)


def mutations() -> dict[str, Callable[[Unit], Awaitable[object]]]:
    return {
        "a call is gone": lambda unit: _drop_call(unit, "c1"),
        "the list is shorter": lambda unit: unit.connection.execute(
            delete(anchored_calls).where(anchored_calls.c.call_id == "c1")
        ),
        "sealed anew": lambda unit: unit.connection.execute(
            update(calls).where(calls.c.id == "c1").values(seal=b"x" * 32)
        ),
        "an anchor is gone": lambda unit: unit.connection.execute(text("DELETE FROM anchors WHERE anchor_no = 0")),
    }


async def _drop_call(unit: Unit, id: str) -> None:
    await unit.connection.execute(delete(call_events).where(call_events.c.call_id == id))
    await unit.connection.execute(delete(calls).where(calls.c.id == id))


@pytest.mark.parametrize("name", mutations())
def test_anchors_show_that_a_whole_call_is_gone(filled: StoreConfig, name: str) -> None:
    async def body(store: Store) -> None:
        async with store.write() as unit:
            anchor = await make_anchor(unit.connection, 1)
            assert anchor is not None and anchor.calls == 4
            assert await make_anchor(unit.connection, 2) is None
        await asyncio.to_thread(stored, filled, [(call_id(9), sample_call(9))])
        async with store.write() as unit:
            assert await make_anchor(unit.connection, DAY_MS) is not None
            assert await verify_anchors(unit.connection) == []
            await mutations()[name](unit)
            assert await verify_anchors(unit.connection) != []

    run(filled, body)


def test_an_export_can_be_verified_by_a_stranger(filled: StoreConfig, tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        found = await calls_to_export(store, MINE)
        assert found == ("c0", "c1", "c3")
        await export_zip(store, found, tmp_path / "out.zip")

    run(filled, body)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        call = json.loads(archive.read("calls/c1.json"))
    assert call["transcript"][0]["text"] == "I want a table, part 0"
    assert json.loads(call["events"][0]["content"])["data"]["calling"] == MINE
    assert call["chain"]["head_hash"] == call["events"][-1]["hash"]
