"""A version that went back: its predecessor's tables are not its own, and it says so before it touches them."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from voicegw.base.errors import ConfigError
from voicegw.storage.config import StoreConfig
from voicegw.storage.migrations import newest_revision
from voicegw.storage.store import Store


def test_an_old_version_refuses_tables_of_a_newer_one(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"

    async def story() -> None:
        store = Store(StoreConfig(url=f"sqlite:///{path}"))
        try:
            await store.start()
            assert not await store.database.is_new()
            with closing(sqlite3.connect(path)) as newer, newer:
                newer.execute("UPDATE alembic_version SET version_num = '9999'")
            for ask in (store.start, store.database.is_new):
                with pytest.raises(ConfigError, match=rf"9999.*up to {newest_revision()}") as refused:
                    await ask()
                assert "restore a backup" in refused.value.fix
        finally:
            await store.close()

    asyncio.run(story())
