"""The key of nodes that share a PostgreSQL server: of two that start at once one is first, and its key counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from voicegw.api.store_key import CHECK, OtherKey, StoreKey
from voicegw.api.vault import Vault, trunk_context
from voicegw.cli.main import main
from voicegw.storage.admin import Trunk
from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store
from voicegw.testing.postgres_cluster import PostgresCluster

KEYS = {"a": b"a" * 32, "b": b"b" * 32}
NOW_MS = 1_790_000_000_000


@pytest.fixture
def place(cluster: PostgresCluster, empty_database: str, tmp_path: Path) -> StoreConfig:
    """An empty store in PostgreSQL, with room for nodes that come at once."""
    return StoreConfig(url=cluster.new_database(empty_database), spool=str(tmp_path / "spool"), batch_ms=5)


async def settled(place: StoreConfig, node: str, key: str) -> str:
    """What a node is told that starts with this key: nothing, or why it may not."""
    store = Store(place)
    try:
        await StoreKey(Vault(KEYS[key]), f"/etc/{node}.key", node).settle(store, NOW_MS)
    except OtherKey as refused:
        return str(refused)
    finally:
        await store.close()
    return ""


async def owner(place: StoreConfig) -> str:
    store = Store(place)
    async with store.read() as unit:
        found = await unit.secrets.find(CHECK)
    await store.close()
    return found.changed_by if found is not None else ""


async def seal(place: StoreConfig, key: str) -> None:
    """A trunk with a password that this key opens."""
    store = Store(place)
    sealed = Vault(KEYS[key]).seal("pw", trunk_context("carrier"))
    async with store.write() as unit:
        await unit.trunks.add(Trunk("carrier", "carrier", "{}", 1, 1, secret_sealed=sealed))
    await store.close()


def store_key(place: StoreConfig, work: Path, key: str, *options: str) -> int:
    """``voicegw store key`` of a node with this key."""
    for name, content in KEYS.items():
        path = work / f"{name}.key"
        path.touch(0o600)
        path.write_text(content.hex())
    path = work / f"{key}.yaml"
    sections = {
        "api": {"enabled": True, "key_file": str(work / f"{key}.key")},
        "store": {"url": place.url, "spool": place.spool},
    }
    path.write_text(yaml.safe_dump(sections))
    return main(["store", "key", *options, "--config", str(path)])


def test_the_first_key_is_that_of_all_until_an_operator_rotates_it(
    place: StoreConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def at_once() -> list[str]:
        return await asyncio.gather(*(settled(place, f"{key}{n}", key) for n in range(3) for key in KEYS))

    told = asyncio.run(at_once())
    first = asyncio.run(owner(place))
    won, lost = first[0], "b" if first[0] == "a" else "a"
    assert [bool(one) for one in told] == [key == lost for _ in range(3) for key in KEYS], told
    refusals = {one for one in told if one}
    assert all(f"that of node {first} (since 2026-09-" in one for one in refusals)
    assert all("postgresql://" in one and "voicegw store key" in one for one in refusals)

    asyncio.run(seal(place, won))
    capsys.readouterr()
    assert store_key(place, tmp_path, won) == 0
    assert f"as that of node {first}" in capsys.readouterr().out
    assert store_key(place, tmp_path, lost) == 1
    assert "it does not open: trunk carrier" in capsys.readouterr().out
    assert store_key(place, tmp_path, lost, "--from", str(tmp_path / f"{won}.key")) == 0
    assert "1 secrets were sealed anew" in capsys.readouterr().out
    assert (asyncio.run(settled(place, "c", lost)), bool(asyncio.run(settled(place, "c", won)))) == ("", True)
