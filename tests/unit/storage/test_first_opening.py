"""Several parts of a server open the store at once, on a disk where it has never been."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store


def test_who_finds_a_new_file_locked_waits_for_its_turn(tmp_path: Path) -> None:
    """The change to a write-ahead log fails at once, whatever the busy timeout, while somebody else is at it."""
    path = tmp_path / "new.sqlite"
    first = sqlite3.connect(path, isolation_level=None)
    first.execute("CREATE TABLE other (x)")
    first.execute("BEGIN IMMEDIATE")
    first.execute("INSERT INTO other VALUES (1)")

    async def story() -> None:
        store = Store(StoreConfig(url=f"sqlite:///{path}"))
        asyncio.get_running_loop().call_later(0.1, first.execute, "COMMIT")
        try:
            await store.start()
        finally:
            await store.close()

    asyncio.run(story())
    first.close()
