"""The password of PostgreSQL in the environment, so that no file and no ConfigMap has to have it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store
from voicegw.testing.postgres_cluster import PostgresCluster

pytestmark = pytest.mark.interop

KEEPER, PASSWORD = "keeper", "s3cret"


@pytest.fixture
def locked() -> Iterator[str]:
    """The URL, without the password, of a database whose owner has to prove one."""
    with PostgresCluster(access=f"host all {KEEPER} 127.0.0.1/32 scram-sha-256\n") as cluster:
        url = cluster.new_database()
        name = url.rpartition("/")[2]
        cluster.order(f"CREATE ROLE {KEEPER} LOGIN PASSWORD '{PASSWORD}'")
        cluster.order(f"ALTER DATABASE {name} OWNER TO {KEEPER}")
        yield url.replace("postgres@", f"{KEEPER}@")


def begin(url: str, work: Path) -> None:
    """What a server does first: connect, make the tables, look into them."""

    async def story() -> None:
        store = Store(StoreConfig(url=url, spool=str(work / "spool")))
        await store.start()
        try:
            async with store.read() as unit:
                assert not await unit.calls.events("nobody", limit=1)
        finally:
            await store.close()

    asyncio.run(story())


def test_it_is_taken_from_pgpassword(locked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with pytest.raises(Exception, match="password"):
        begin(locked, tmp_path)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    begin(locked, tmp_path)
