"""One database behind one URL: connections, transactions and migrations.

A writing transaction of SQLite begins with ``BEGIN IMMEDIATE``. A deferred one that reads first and writes later
fails at once, however long the busy timeout is, when another connection has written in between.
"""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from voicegw.base.errors import ConfigError
from voicegw.base.installing import pip_install
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import Conflict, Refused, StoreUnavailable
from voicegw.storage.migrations import newest_revision, revision_of

_WRITES = "voicegw_writes"
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",  # what is erased is overwritten
    "cache_size=-4000",  # kB for each connection. What another writes empties it: more is more to fill again
)
_PRAGMA_PAUSE_S = 0.02
"""Between two attempts at a pragma that finds the file locked."""
_SQLITE_CONNECTIONS = 5
"""Kept open. More at once are opened for the moment, 3 ms each."""
_STATEMENTS = 12
"""A statement of PostgreSQL may take so many times as long as waiting for a lock of SQLite may."""


def database_url(url: str) -> URL:
    """The URL with the driver that voicegw uses; raises ConfigError."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        raise ConfigError("store.url is no database URL", fix="sqlite:///var/voicegw.sqlite") from None
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    return parsed.set(drivername="postgresql+asyncpg")


class Database:
    """An engine and its transactions. Belongs to the event loop in which it is used."""

    def __init__(self, config: StoreConfig) -> None:
        """Opens nothing yet; raises ConfigError where the driver is missing."""
        self._config = config
        self.url = database_url(config.url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        try:
            self._engine = _sqlite(self.url, config) if self.is_sqlite else _patient(self.url, config)
        except ModuleNotFoundError:
            fix = pip_install("voicegw[postgres]")
            raise ConfigError("the driver of PostgreSQL is missing", fix=fix) from None
        self._connection_errors = (SQLAlchemyError, OSError) if self.is_sqlite else _asyncpg_errors()
        self._writing = self._engine.execution_options(**{_WRITES: True})

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view; raises StoreUnavailable."""
        async with self._transaction(self._engine) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end of the block, undone by an error.

        Raises Conflict where a name is taken, Refused for values that cannot be stored, else StoreUnavailable.
        """
        async with self._transaction(self._writing) as connection:
            yield connection

    async def migrate(self, revision: str = "head") -> None:
        """Bring the tables up to a revision; nodes that start at once wait for one another.

        Raises StoreUnavailable, and ConfigError where they are those of a newer version.
        """
        if self.is_sqlite and self.url.database:
            try:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreUnavailable(f"the database: {error}") from error
        if self.is_sqlite:
            async with self.write() as connection:
                await connection.run_sync(_upgrade, revision)
            return
        # Changing many rows takes as long as it takes, on a connection of its own.
        engine = _postgresql(self.url, self._config, command_timeout_s=None)
        try:
            async with self._transaction(engine) as connection:
                await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7236001)")
                await connection.run_sync(_upgrade, revision)
        finally:
            await engine.dispose()

    async def open_all(self) -> None:
        """Open what will be kept open, with SQLite; raises StoreUnavailable.

        A pool that grows when several ask at once for the first time looks like a leak of descriptors for hours.
        Connections to PostgreSQL are another machine's memory: they are opened when they are needed.
        """
        if not self.is_sqlite:
            return
        async with _translated(), AsyncExitStack() as stack:
            for _ in range(_SQLITE_CONNECTIONS):
                await stack.enter_async_context(self._engine.connect())

    async def is_new(self) -> bool:
        """Whether there is nothing yet, not even tables.

        Raises StoreUnavailable, and ConfigError where the tables are those of a newer version.
        """
        if self.is_sqlite and not await asyncio.to_thread(Path(self.url.database or "").is_file):
            return True
        async with self.read() as connection:
            return await connection.run_sync(_known_revision) is None

    async def empty_log(self) -> None:
        """Empty SQLite's write-ahead log, which still has what was erased; raises StoreUnavailable.

        PostgreSQL keeps old rows in its files until their space is used again, and nothing here can hurry it.
        """
        if not self.is_sqlite:
            return
        async with _translated(), self._engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            async with raw.execute("PRAGMA wal_checkpoint(TRUNCATE)") as cursor:
                (busy, *_pages) = await cursor.fetchone()
        if busy:
            raise StoreUnavailable("the write-ahead log cannot be emptied: somebody reads for a long time")

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            connection = await engine.connect()
        except self._connection_errors as error:
            raise StoreUnavailable(f"the database: {_reason(error)}") from error
        async with _translated(), aclosing(connection), connection.begin():
            yield connection


def _known_revision(connection: Connection) -> str | None:
    """That of the tables, None where there are none; raises ConfigError for one of a newer version."""
    there, newest = revision_of(connection), newest_revision()
    if there is not None and there > newest:
        raise ConfigError(
            f"the tables of the store are those of a newer version: {there}; this one knows them up to {newest}",
            fix="start the newer version, or restore a backup that an older one has made (docs/operations.md)",
        )
    return there


def _upgrade(connection: Connection, revision: str) -> None:
    if _known_revision(connection) == newest_revision() and revision == "head":
        return
    # Only the first start of a version has anything to migrate: Alembic is a tenth of all that a node imports.
    from voicegw.storage.migrate import upgrade

    upgrade(connection, revision)


def _patient(url: URL, config: StoreConfig) -> AsyncEngine:
    """A statement may take a while, but a connection that has gone silent must not hold everything up."""
    return _postgresql(url, config, command_timeout_s=_STATEMENTS * config.busy_timeout_ms / 1000)


def _postgresql(url: URL, config: StoreConfig, command_timeout_s: float | None) -> AsyncEngine:
    patience_s = config.busy_timeout_ms / 1000
    # Pages of a few rows: starting parallel workers or a compiler takes longer than what they are started for.
    few = {"max_parallel_workers_per_gather": "0", "jit": "off"}
    settings = {"application_name": "voicegw", "timezone": "UTC", **few}
    limits = {"timeout": patience_s, "command_timeout": command_timeout_s}
    return create_async_engine(
        url,
        pool_size=config.pool_size,
        pool_timeout=patience_s,
        pool_pre_ping=True,
        connect_args={**limits, "server_settings": settings},
    )


def _asyncpg_errors() -> tuple[type[Exception], ...]:
    """What the driver raises while it connects; SQLAlchemy translates only what comes later."""
    driver = importlib.import_module("asyncpg")
    return (SQLAlchemyError, OSError, driver.PostgresError, driver.InterfaceError)


def _sqlite(url: URL, config: StoreConfig) -> AsyncEngine:
    connect_args = {"timeout": config.busy_timeout_ms / 1000}
    # Always the one that was used last: what another has written empties a connection's cache of pages, so that of
    # several in turn none keeps its own, and each grows by what it reads again.
    engine = create_async_engine(url, connect_args=connect_args, pool_size=_SQLITE_CONNECTIONS, pool_use_lifo=True)

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            _set_patiently(cursor, pragma, config.busy_timeout_ms / 1000)
        cursor.close()

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", begin)
    return engine


def _set_patiently(cursor: Any, pragma: str, patience_s: float) -> None:
    """SQLite's own patience does not hold for the change to a write-ahead log: of two that open a new file at once,
    one is told at once that it is locked."""
    for left in reversed(range(max(1, round(patience_s / _PRAGMA_PAUSE_S)))):
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            if not left or "locked" not in str(error):
                raise
            await_only(asyncio.sleep(_PRAGMA_PAUSE_S))
        else:
            return


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Errors of the database in the words of :mod:`voicegw.storage.errors`."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(f"the database refused it: {error.orig}") from error
    except DataError as error:
        raise Refused(f"the database refused it: {error.orig}") from error
    except (SQLAlchemyError, TimeoutError) as error:
        raise StoreUnavailable(f"the database: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(original) or type(original).__name__
