from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.config import StoreConfig
from voicegw.storage.database import Database


async def handle(connection: AsyncConnection) -> int:
    """Which of the open connections it is."""
    raw = await connection.get_raw_connection()
    return id(raw.driver_connection)


def descriptors() -> list[str]:
    """Of the files of the database that this process has open."""
    names = (os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir())
    return sorted(name for name in names if "store.sqlite" in name)


def test_one_connection_of_sqlite_does_what_one_can_do(tmp_path: Path) -> None:
    """What another has written empties the page cache of a connection: of several, none would keep its own."""

    async def run() -> set[int]:
        database = Database(StoreConfig(url=f"sqlite:///{tmp_path}/store.sqlite", spool=str(tmp_path / "spool")))
        try:
            async with database.read(), database.read(), database.read():
                pass
            seen = set()
            for _ in range(4):
                async with database.write() as connection:
                    seen.add(await handle(connection))
            return seen
        finally:
            await database.close()

    assert len(asyncio.run(run())) == 1


def test_all_connections_of_sqlite_are_open_from_the_start(tmp_path: Path) -> None:
    """So that nobody who counts descriptors sees them grow."""

    async def run() -> tuple[list[str], list[str]]:
        database = Database(StoreConfig(url=f"sqlite:///{tmp_path}/store.sqlite", spool=str(tmp_path / "spool")))
        opened = []
        await database.open_all()
        before = descriptors()
        try:
            async with AsyncExitStack() as stack:
                for _ in range(5):
                    connection = await stack.enter_async_context(database.read())
                    opened.append(await handle(connection))
            return before, descriptors()
        finally:
            await database.close()
            assert len(set(opened)) == 5

    before, after = asyncio.run(run())
    assert sum(not file.endswith("-wal") and not file.endswith("-shm") for file in before) == 5
    assert after == before
