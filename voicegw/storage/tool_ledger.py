"""The ledger of tools in SQLite: an intent is on the disk before its tool runs, its result after.

One connection in one thread, so the event loop never waits for the disk. Each write is a transaction that is synced
(``synchronous=FULL``) before it is reported; the write-ahead log makes that one sync. A lock beside the file keeps
other ledgers away: one that shared it could take our open intents for those of a dead process. Only erasing
(:func:`erase_in_ledger`) is open to everybody, at any time.
"""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, TypeVar

from voicegw.agents.tools.exactly_once import concluded, decide, recovered
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.ports.tools import (
    Claim,
    IdempotencyKey,
    LedgerEntry,
    Recovery,
    ToolEffect,
    ToolIntent,
    ToolResult,
    ToolStatus,
)

T = TypeVar("T")
_BUSY_S = 5.0
"""Others hold the file for milliseconds, while they erase."""
_Row = tuple[str, str, str, str, str, float, int, str | None, str | None, float, str]

_CREATE = """
CREATE TABLE IF NOT EXISTS tool_calls (
    key TEXT PRIMARY KEY,
    call_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    effect TEXT NOT NULL,
    arguments TEXT NOT NULL,
    intended_wall REAL NOT NULL,
    attempts INTEGER NOT NULL,
    status TEXT,
    content TEXT,
    ended_wall REAL NOT NULL,
    calling TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID
"""
_ADD_CALLING = "ALTER TABLE tool_calls ADD COLUMN calling TEXT NOT NULL DEFAULT ''"
"""For files of before there was one."""
_OPEN = "CREATE INDEX IF NOT EXISTS open_tool_calls ON tool_calls (key) WHERE status IS NULL"
_COLUMNS = "key, call_id, tool, effect, arguments, intended_wall, attempts, status, content, ended_wall, calling"
_PUT = f"INSERT OR REPLACE INTO tool_calls ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_GET = f"SELECT {_COLUMNS} FROM tool_calls WHERE key = ?"
_LIST_OPEN = f"SELECT {_COLUMNS} FROM tool_calls WHERE status IS NULL ORDER BY intended_wall"
_LIST_CALL = f"SELECT {_COLUMNS} FROM tool_calls WHERE call_id = ? ORDER BY intended_wall"
_LIST_CALLER = f"SELECT {_COLUMNS} FROM tool_calls WHERE calling = ? ORDER BY intended_wall"
_FORGET = "DELETE FROM tool_calls WHERE status IS NOT NULL AND ended_wall < ?"
_ERASE_CALLER = "UPDATE tool_calls SET arguments = '{}', content = ?, calling = '' WHERE calling = ?"
_ERASE_CALL = "UPDATE tool_calls SET arguments = '{}', content = ?, calling = '' WHERE call_id = ?"
_ERASED = '{"erased":true}'


class SqliteToolLedger:
    """A :class:`~voicegw.ports.tools.ToolLedger` in one file, readable for its owner only.

    Arguments and results are kept, because a retry is answered from them; :meth:`forget` ends that by age, and
    :meth:`forget_caller` and :meth:`forget_calls` for people. Those leave the bare entries: what was done once is
    not done again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "tool-ledger")
        self._database: sqlite3.Connection | None = None
        self._lock: BinaryIO | None = None
        self._closed = False

    async def claim(self, intent: ToolIntent) -> Claim:
        """See :class:`~voicegw.ports.tools.ToolLedger`."""
        return await self._in_thread(lambda database: _claim(database, intent))

    async def conclude(self, key: IdempotencyKey, result: ToolResult, at_wall: float) -> None:
        """See :class:`~voicegw.ports.tools.ToolLedger`."""
        await self._in_thread(lambda database: _conclude(database, key, result, at_wall))

    async def recover(self, at_wall: float) -> Recovery:
        """See :class:`~voicegw.ports.tools.ToolLedger`."""
        return await self._in_thread(lambda database: _recover(database, at_wall))

    async def of_call(self, call_id: CallId) -> tuple[LedgerEntry, ...]:
        """All entries of a call, oldest first."""
        return await self._in_thread(lambda database: _entries(database, _LIST_CALL, call_id))

    async def forget(self, before_wall: float) -> int:
        """Delete what ended before that moment and return how many; open entries stay."""
        return await self._in_thread(lambda database: database.execute(_FORGET, (before_wall,)).rowcount)

    async def forget_caller(self, calling: str) -> int:
        """Erase what was asked and answered in all calls from this number; how many entries."""
        return await self._erase(_ERASE_CALLER, [calling])

    async def forget_calls(self, call_ids: Iterable[CallId]) -> int:
        """The same for these calls."""
        return await self._erase(_ERASE_CALL, list(call_ids))

    async def close(self) -> None:
        """Close the file after what is under way; later calls raise LocalError."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._shut)
            self._thread.shutdown()

    async def _erase(self, statement: str, keys: Sequence[str]) -> int:
        """What was erased must not be left in the write-ahead log either."""
        erased = await self._in_thread(lambda database: _erase(database, statement, keys))
        await asyncio.get_running_loop().run_in_executor(self._thread, self._empty_log)
        return erased

    def _empty_log(self) -> None:
        if self._database is not None:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def _in_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` as one transaction; raises LocalError when the disk or the file does not allow it."""
        if self._closed:
            raise LocalError(f"the tool ledger {self._path} is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)
        except (sqlite3.Error, OSError) as error:
            raise LocalError(f"the tool ledger {self._path}: {error}") from error

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._lock is None:
            self._lock = _locked(self._path)
        if self._database is None:
            self._database = _connect(self._path)
        self._database.execute("BEGIN IMMEDIATE")
        try:
            done = work(self._database)
            self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        return done

    def _shut(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def erase_in_ledger(path: Path, call_ids: Iterable[str], calling: str = "") -> int:
    """Erase what was asked and answered in these calls and from this number, whoever has the ledger open.

    Returns how many entries; raises LocalError. A file that is not there holds nothing.
    """
    keys = [(_ERASE_CALL, call_id) for call_id in call_ids] + [(_ERASE_CALLER, calling)]
    return _alone(path, lambda database: sum(_erase(database, statement, [key]) for statement, key in keys), none=0)


def entries_in_ledger(path: Path, call_ids: Iterable[str], calling: str = "") -> tuple[LedgerEntry, ...]:
    """What was asked and answered in these calls and from this number, the oldest first; raises LocalError."""
    keys = [(_LIST_CALL, call_id) for call_id in call_ids] + ([(_LIST_CALLER, calling)] if calling else [])

    def read(database: sqlite3.Connection) -> dict[str, LedgerEntry]:
        return {one.intent.key: one for statement, key in keys for one in _entries(database, statement, key)}

    nothing: dict[str, LedgerEntry] = {}
    found = _alone(path, read, none=nothing)
    return tuple(sorted(found.values(), key=lambda one: (one.intent.at_wall, one.intent.key)))


def forget_in_ledger(path: Path, before_wall: float) -> int:
    """Delete what ended before that moment, like :meth:`SqliteToolLedger.forget`; raises LocalError."""
    return _alone(path, lambda database: database.execute(_FORGET, (before_wall,)).rowcount, none=0)


def _alone(path: Path, work: Callable[[sqlite3.Connection], T], none: T) -> T:
    """One transaction over a connection of its own; what it erased is not in the write-ahead log either.

    ``none``: what there is in a file that is not there.
    """
    if not path.exists():
        return none
    try:
        with closing(_connect(path)) as database:
            database.execute("BEGIN IMMEDIATE")
            done = work(database)
            database.execute("COMMIT")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return done
    except (sqlite3.Error, OSError) as error:
        raise LocalError(f"the tool ledger {path}: {error}") from error


def _locked(path: Path) -> BinaryIO:
    """Keep other ledgers away from this file; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f"{path.name}.lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise OSError("it is locked by another process") from None
    except OSError:
        file.close()
        raise
    return file


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA secure_delete=ON")
        database.execute(_CREATE)
        if "calling" not in {row[1] for row in database.execute("PRAGMA table_info(tool_calls)")}:
            database.execute(_ADD_CALLING)
        database.execute(_OPEN)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _claim(database: sqlite3.Connection, intent: ToolIntent) -> Claim:
    claim = decide(_entry(database, intent.key), intent)
    if claim.granted:
        database.execute(_PUT, _row(claim.entry))
    return claim


def _conclude(database: sqlite3.Connection, key: IdempotencyKey, result: ToolResult, at_wall: float) -> None:
    entry = _entry(database, key)
    if entry is None:
        raise LocalError(f"the tool call {key} was never claimed")
    database.execute(_PUT, _row(concluded(entry, result, at_wall)))


def _recover(database: sqlite3.Connection, at_wall: float) -> Recovery:
    entries = [recovered(entry, at_wall) for entry in _entries(database, _LIST_OPEN)]
    unknown = tuple(entry for entry in entries if entry.result is not None)
    database.executemany(_PUT, [_row(entry) for entry in unknown])
    return Recovery(unknown, tuple(entry for entry in entries if entry.result is None))


def _erase(database: sqlite3.Connection, statement: str, keys: Sequence[str]) -> int:
    """An entry without number is of a caller who withheld it: that is nobody in particular."""
    return sum(database.execute(statement, (_ERASED, key)).rowcount for key in keys if key)


def _entry(database: sqlite3.Connection, key: IdempotencyKey) -> LedgerEntry | None:
    found = _entries(database, _GET, key)
    return found[0] if found else None


def _entries(database: sqlite3.Connection, query: str, *values: str) -> tuple[LedgerEntry, ...]:
    return tuple(_from_row(row) for row in database.execute(query, values))


def _row(entry: LedgerEntry) -> _Row:
    intent, result = entry.intent, entry.result
    return (
        *(intent.key, intent.call_id, intent.tool, intent.effect.value, intent.arguments_json, intent.at_wall),
        entry.attempts,
        result.status.value if result else None,
        result.content_json if result else None,
        entry.ended_wall,
        intent.calling,
    )


def _from_row(row: _Row) -> LedgerEntry:
    key, call_id, tool, effect, arguments, intended_wall, attempts, status, content, ended_wall, calling = row
    effects = ToolEffect(effect)
    intent = ToolIntent(IdempotencyKey(key), CallId(call_id), tool, effects, arguments, intended_wall, calling)
    result = ToolResult(ToolStatus(status), content or "") if status else None
    return LedgerEntry(intent, attempts, result, ended_wall)
