from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.config import StoreConfig
from voicegw.storage.database import Database


async def handle(connection: AsyncConnection) -> int:
    """Which of the open connections it is."""
    raw = await connection.get_raw_connection()
    return id(raw.driver_connection)


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
