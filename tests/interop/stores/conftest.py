"""A fresh database for each test, in SQLite and in PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store
from voicegw.testing.postgres_cluster import PostgresCluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    """One server for all tests of this process."""
    with PostgresCluster() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def new_config(request: pytest.FixtureRequest, tmp_path: Path) -> StoreConfig:
    """Where a store may be that does not exist yet."""
    if request.param == "sqlite":
        return _config(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    return _config(request.getfixturevalue("cluster").new_database(), tmp_path)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of today's tables with nothing in them: to migrate takes longer than most that is tested here."""
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def empty_database(cluster: PostgresCluster) -> str:
    """The same in PostgreSQL; its name."""
    url = cluster.new_database()
    _migrate(url)
    return url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> StoreConfig:
    """An empty store."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_file"), tmp_path / "store.sqlite")
        return _config(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    like = request.getfixturevalue("empty_database")
    return _config(request.getfixturevalue("cluster").new_database(like), tmp_path)


def _config(url: str, work: Path) -> StoreConfig:
    return StoreConfig(url=url, spool=str(work / "spool"), batch_ms=5)


def _migrate(url: str) -> None:
    async def migrate() -> None:
        store = Store(StoreConfig(url=url))
        await store.start()
        await store.close()

    asyncio.run(migrate())
