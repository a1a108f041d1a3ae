"""After a number is erased, no file below the server's home has it or what was said, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.interop.stores.test_repositories import run
from tests.unit.storage.sample_call import call_id, sample_call
from voicegw.base.clock import SystemClock
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import ConsentWasRefused, Entry
from voicegw.ports.tools import IdempotencyKey, ToolEffect, ToolIntent, ToolResult
from voicegw.recording.recovery import remove_recording
from voicegw.storage import spool
from voicegw.storage.anchors import make_anchor, verify_anchors
from voicegw.storage.audit import AuditNote
from voicegw.storage.certificates import Certificate
from voicegw.storage.config import RetentionConfig, StoreConfig
from voicegw.storage.event_log import EventLog
from voicegw.storage.maintenance import Maintenance
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.rejected import RejectedFacts
from voicegw.storage.sinks import Sinks
from voicegw.storage.spool import SpooledFact
from voicegw.storage.store import Store
from voicegw.storage.tool_ledger import SqliteToolLedger
from voicegw.storage.webhooks import Subscription
from voicegw.storage.writer import StoreWriter

MINE, OTHER = "+4930111222", "+4930333444"
SAID = "xylophone marmalade"
TRACES = (MINE.encode(), b"xylophone", b"marmalade", b"XYLOPHONE")
CALLS = [(0, MINE), (1, MINE), (2, OTHER)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def config(home: Path) -> StoreConfig:
    return StoreConfig(url=f"sqlite:///{home}/store.sqlite", spool=str(home / "spool"), batch_ms=5)


@pytest.fixture
def files(home: Path) -> NodeFiles:
    (home / "recordings").mkdir(parents=True)
    return NodeFiles(
        home / "spool", home / "recordings", home / "calls", home / "tools.sqlite", remove=remove_recording
    )


def traces(home: Path) -> list[str]:
    """Which file has which of them."""
    everything = [path for path in home.rglob("*") if path.is_file()]
    return [f"{path.name}: {trace!r}" for path in everything for trace in TRACES if trace in path.read_bytes()]


async def _subscribe(config: StoreConfig) -> None:
    store = Store(config)
    await store.start()
    async with store.write() as unit:
        hook = Subscription("h1", "everything", "https://example.org", b"sealed", 1, 1)
        await unit.subscriptions.add(hook)
    await store.close()


async def _use_tools(path: Path) -> None:
    ledger = SqliteToolLedger(path)
    for number, calling in CALLS[:2]:
        key, arguments = IdempotencyKey(f"k{number}"), f'{{"word":"{SAID}","tel":"{calling}"}}'
        intent = ToolIntent(key, call_id(number), "book", ToolEffect.ONCE, arguments, 10.0, calling)
        assert (await ledger.claim(intent)).granted
        await ledger.conclude(key, ToolResult.done({"heard": SAID}), 11.0)
    await ledger.close()


def fill(config: StoreConfig, files: NodeFiles, calls: Sequence[tuple[CallId, Sequence[Entry]]]) -> None:
    assert files.logs is not None
    sinks = Sinks(StoreWriter(config, Counters(), files=files), EventLog(files.logs, Counters()))
    for id, entries in calls:
        for entry in entries:
            sinks.append(id, entry)
        sinks.finish(id)
    sinks.close()


def leave_everywhere(config: StoreConfig, files: NodeFiles) -> None:
    """Calls, logs, recordings, tools, refused facts, messages to others, the audit."""
    assert files.recordings is not None and files.tools is not None
    asyncio.run(_subscribe(config))
    said = {number: SAID if calling == MINE else "I want a table" for number, calling in CALLS}
    fill(
        config,
        files,
        [(call_id(number), sample_call(number, calling=tel, said=said[number])) for number, tel in CALLS],
    )
    for number in (0, 1):
        (files.recordings / f"c{number}.wav").write_bytes(SAID.encode())
    asyncio.run(_use_tools(files.tools))
    RejectedFacts(files.spool).add(
        SpooledFact(id, 0, "CallerSpoke", 1, bytes(32), text.encode())
        for id, text in (("c0", SAID), ("c9", f"from {MINE}"), ("c2", "I want a table"))
    )


async def _erase(store: Store, files: NodeFiles) -> Certificate:
    async with store.write() as unit:
        for id in ("c0", "c9"):
            note = AuditNote(1, "ann", "call.listen", "call", id, after_json=f'{{"calling":"{MINE}"}}')
            await unit.audit.append(note)
        await make_anchor(unit.connection, 1)
    keeper = Maintenance(store, RetentionConfig(), SystemClock(), files)
    return await keeper.erase_number(MINE, actor="ann", reason="asked")


def test_nothing_of_a_number_is_left_in_any_file(config: StoreConfig, files: NodeFiles, home: Path) -> None:
    leave_everywhere(config, files)
    assert traces(home)

    async def body(store: Store) -> None:
        certificate = await _erase(store, files)
        assert traces(home) == []
        assert [one.call_id for one in certificate.calls] == ["c0", "c1"]
        assert (certificate.recording_files, certificate.log_files) == (2, 2)
        assert (certificate.tool_entries, certificate.rejected_facts) == (2, 2)
        assert certificate.audit_entries == (0, 1) and certificate.webhook_deliveries > 0
        async with store.read() as unit:
            assert await unit.audit.verify() == [] and await verify_anchors(unit.connection) == []
            for number, _tel in CALLS:
                assert (await unit.calls.verify(f"c{number}")).whole
            assert len((await unit.calls.detail("c2")).transcript) == 4

    run(config, body)
    assert traces(home) == []
    assert len(RejectedFacts(files.spool).read()) == 1


def test_an_erasure_of_another_node_reaches_the_files_of_this_one(
    config: StoreConfig, files: NodeFiles, home: Path, tmp_path: Path
) -> None:
    leave_everywhere(config, files)

    async def body(store: Store) -> None:
        await _erase(store, NodeFiles(tmp_path / "elsewhere"))
        assert traces(home)
        await Maintenance(store, RetentionConfig(), SystemClock(), files).round()

    run(config, body)
    assert traces(home) == [f"rejected: {MINE.encode()!r}"]  # of a call that no certificate knows


def test_who_refuses_to_be_recorded_leaves_nothing_of_before(
    config: StoreConfig, files: NodeFiles, home: Path
) -> None:
    said = sample_call(0, calling=OTHER, said=SAID)
    refusal = ConsentWasRefused("May we record this?", "rather not")
    entries = [*said[:-1], Entry(len(said) - 1, 9000.0, refusal), Entry(len(said), 9100.0, said[-1].data)]
    fill(config, files, [(call_id(0), entries), (call_id(2), sample_call(2))])
    assert traces(home) == []

    async def body(store: Store) -> None:
        async with store.read() as unit:
            verdict = await unit.calls.verify("c0")
            assert verdict.whole and verdict.sealed and verdict.missing == 0
            kept = {one.kind for one in await unit.calls.events("c0") if one.content is not None}
            assert {"CallWasOffered", "ConsentWasRefused", "CallHasEnded"} <= kept
            assert not kept & {"CallerSpoke", "AgentSpoke", "SlotWasFilled"}
            call = await unit.calls.get("c0")
            assert (call.calling, call.caller_turns) == (OTHER, 0)

    run(config, body)


def test_retention_reaches_files_that_no_call_leads_to(config: StoreConfig, files: NodeFiles, home: Path) -> None:
    leave_everywhere(config, files)

    async def body(store: Store) -> None:
        clock = SystemClock()
        days = int(clock.wall() // 86_400) - 1  # what ended on the second day of 1970 is due
        keeper = Maintenance(store, RetentionConfig(tools_days=days, transcripts_days=days), clock, files)
        await keeper.round()

    run(config, body)
    assert b"book" not in (home / "tools.sqlite").read_bytes()
    assert RejectedFacts(files.spool).read() == ()


def test_a_segment_that_was_delivered_does_not_stay(
    config: StoreConfig, files: NodeFiles, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "SEGMENT_S", 0.0)
    writer = StoreWriter(config, Counters(), files=files)
    for number in range(3):
        for entry in sample_call(number, said=SAID):
            writer.append(call_id(number), entry)
        assert writer.settle(20.0)
    assert len(list((home / "spool").glob("*.spool"))) == 1
    writer.close()
    assert list((home / "spool").glob("*.spool")) == []
