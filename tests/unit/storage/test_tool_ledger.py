"""The ledger on a real disk: after kill -9, in two processes, full, closed, and while the disk is slow."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.ports.tools import IdempotencyKey, ToolEffect, ToolIntent, ToolResult, ToolStatus
from voicegw.storage import tool_ledger
from voicegw.storage.tool_ledger import SqliteToolLedger

C1 = CallId("c1")
DONE = ToolResult.done({"id": 7})


def intent(key: str, effect: ToolEffect = ToolEffect.ONCE, call_id: CallId = C1) -> ToolIntent:
    return ToolIntent(IdempotencyKey(key), call_id, "book", effect, '{"n":1}', 10.0)


def with_ledger(path: Path, story: Callable[[SqliteToolLedger], Awaitable[None]]) -> None:
    async def run() -> None:
        ledger = SqliteToolLedger(path)
        try:
            await story(ledger)
        finally:
            await ledger.close()

    asyncio.run(run())


def test_after_kill_9_each_call_is_done_or_unknown_or_may_run_again(tmp_path: Path) -> None:
    path = tmp_path / "tools.db"
    script = Path(__file__).with_name("killed_ledger.py")
    with subprocess.Popen([sys.executable, str(script), str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()

    async def story(ledger: SqliteToolLedger) -> None:
        recovery = await ledger.recover(20.0)
        assert [entry.intent.key for entry in recovery.unknown] == ["once"]
        assert [entry.intent.key for entry in recovery.repeatable] == ["again"]
        assert not (await ledger.claim(intent("once"))).granted
        finished = await ledger.claim(intent("finished"))
        assert (finished.granted, finished.entry.result) == (False, DONE)
        again = await ledger.claim(intent("again", ToolEffect.IDEMPOTENT))
        assert (again.granted, again.entry.attempts) == (True, 2)
        assert (await ledger.claim(intent("never"))).granted

    with_ledger(path, story)


def test_what_was_recovered_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "tools.db"

    async def first(ledger: SqliteToolLedger) -> None:
        await ledger.claim(intent("k"))

    async def second(ledger: SqliteToolLedger) -> None:
        assert len((await ledger.recover(20.0)).unknown) == 1
        assert len((await ledger.recover(20.0)).unknown) == 0
        (entry,) = await ledger.of_call(C1)
        assert entry.result is not None
        assert entry.result.status is ToolStatus.UNKNOWN

    with_ledger(path, first)
    with_ledger(path, second)


def test_a_second_process_cannot_take_our_open_calls_for_dead(tmp_path: Path) -> None:
    async def story(ledger: SqliteToolLedger) -> None:
        await ledger.claim(intent("k"))
        other = SqliteToolLedger(tmp_path / "tools.db")
        with pytest.raises(LocalError, match="locked"):
            await other.recover(20.0)
        await other.close()
        await ledger.conclude(IdempotencyKey("k"), DONE, 11.0)

    with_ledger(tmp_path / "tools.db", story)


def test_a_disk_that_refuses_is_a_local_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def story(ledger: SqliteToolLedger) -> None:
        with pytest.raises(LocalError):
            await ledger.claim(intent("k"))

    with_ledger(tmp_path / "file" / "tools.db", story)


def test_a_file_that_is_no_database_is_a_local_error(tmp_path: Path) -> None:
    (tmp_path / "tools.db").write_text("not a database " * 100)

    async def story(ledger: SqliteToolLedger) -> None:
        with pytest.raises(LocalError, match="not a database"):
            await ledger.claim(intent("k"))

    with_ledger(tmp_path / "tools.db", story)


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(ledger: SqliteToolLedger) -> None:
        await ledger.claim(intent("k"))

        def full(_entry: object) -> tuple[str, ...]:
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(tool_ledger, "_row", full)
            with pytest.raises(LocalError, match="full"):
                await ledger.claim(intent("other"))
            with pytest.raises(LocalError, match="full"):
                await ledger.conclude(IdempotencyKey("k"), DONE, 11.0)
        assert [entry.result for entry in await ledger.of_call(C1)] == [None]
        await ledger.conclude(IdempotencyKey("k"), DONE, 11.0)

    with_ledger(tmp_path / "tools.db", story)


def test_a_slow_disk_does_not_stop_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    connect = tool_ledger._connect

    def slow(path: Path) -> sqlite3.Connection:
        gate.wait(30)
        return connect(path)

    monkeypatch.setattr(tool_ledger, "_connect", slow)

    async def story(ledger: SqliteToolLedger) -> None:
        waiting = asyncio.create_task(ledger.claim(intent("k")))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        gate.set()
        assert (await waiting).granted

    with_ledger(tmp_path / "tools.db", story)


def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    async def story(ledger: SqliteToolLedger) -> None:
        await ledger.close()
        with pytest.raises(LocalError, match="closed"):
            await ledger.claim(intent("k"))

    with_ledger(tmp_path / "tools.db", story)


def test_old_ends_are_forgotten_and_open_calls_are_not(tmp_path: Path) -> None:
    async def story(ledger: SqliteToolLedger) -> None:
        for key in ("old", "new", "open"):
            await ledger.claim(intent(key))
        await ledger.conclude(IdempotencyKey("old"), DONE, 11.0)
        await ledger.conclude(IdempotencyKey("new"), DONE, 99.0)
        assert await ledger.forget(50.0) == 1
        assert {entry.intent.key for entry in await ledger.of_call(C1)} == {"new", "open"}

    with_ledger(tmp_path / "tools.db", story)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    async def story(ledger: SqliteToolLedger) -> None:
        await ledger.claim(intent("k"))
        modes.extend(path.stat().st_mode for path in files)

    modes: list[int] = []
    files = [tmp_path / "tools.db", tmp_path / "tools.db-wal"]
    with_ledger(files[0], story)
    assert [mode & 0o777 for mode in modes] == [0o600, 0o600]


def of(calling: str, key: str, call_id: CallId = C1) -> ToolIntent:
    return ToolIntent(IdempotencyKey(key), call_id, "book", ToolEffect.ONCE, '{"phone":"+15550100"}', 10.0, calling)


def test_a_caller_is_forgotten_and_what_was_done_for_them_is_still_done_once(tmp_path: Path) -> None:
    path = tmp_path / "tools.db"

    async def story(ledger: SqliteToolLedger) -> None:
        for key, calling in (("mine", "+15550100"), ("open", "+15550100"), ("theirs", "+15550101"), ("hidden", "")):
            await ledger.claim(of(calling, key))
        await ledger.conclude(IdempotencyKey("mine"), ToolResult.done({"name": "Ada Lovelace"}), 11.0)
        assert await ledger.forget_caller("+15550100") == 2
        assert await ledger.forget_caller("") == 0
        left = {entry.intent.key: entry for entry in await ledger.of_call(C1)}
        assert left[IdempotencyKey("mine")].intent.arguments_json == "{}"
        assert left[IdempotencyKey("theirs")].intent.arguments_json == '{"phone":"+15550100"}'
        again = await ledger.claim(of("+15550100", "mine"))
        assert not again.granted
        assert again.entry.result == ToolResult(ToolStatus.DONE, '{"erased":true}')
        on_disk = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert b"Lovelace" not in on_disk

    with_ledger(path, story)


def test_calls_are_forgotten_by_their_ids(tmp_path: Path) -> None:
    async def story(ledger: SqliteToolLedger) -> None:
        other = CallId("c2")
        await ledger.claim(of("+15550100", "a"))
        await ledger.claim(of("+15550100", "b", other))
        assert await ledger.forget_calls([C1, CallId("none")]) == 1
        (kept,) = await ledger.of_call(other)
        assert kept.intent.calling == "+15550100"

    with_ledger(tmp_path / "tools.db", story)


def test_a_file_of_before_callers_were_kept_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "tools.db"
    before = sqlite3.connect(path)
    before.execute(
        "CREATE TABLE tool_calls (key TEXT PRIMARY KEY, call_id TEXT NOT NULL, tool TEXT NOT NULL,"
        " effect TEXT NOT NULL, arguments TEXT NOT NULL, intended_wall REAL NOT NULL, attempts INTEGER NOT NULL,"
        " status TEXT, content TEXT, ended_wall REAL NOT NULL) WITHOUT ROWID"
    )
    before.execute("INSERT INTO tool_calls VALUES ('k', 'c1', 'book', 'once', '{}', 1.0, 1, 'done', '{}', 2.0)")
    before.commit()
    before.close()

    async def story(ledger: SqliteToolLedger) -> None:
        (entry,) = await ledger.of_call(C1)
        assert (entry.intent.key, entry.intent.calling) == ("k", "")

    with_ledger(path, story)
