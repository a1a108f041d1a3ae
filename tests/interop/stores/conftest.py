"""A fresh database for each test, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from voicegw.storage.config import StoreConfig
from voicegw.testing.postgres_cluster import PostgresCluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    """One server for all tests of this process."""
    with PostgresCluster() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> StoreConfig:
    """Where a store may be that does not exist yet."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.sqlite"
    else:
        url = request.getfixturevalue("cluster").new_database()
    return StoreConfig(url=url, spool=str(tmp_path / "spool"), batch_ms=5)
