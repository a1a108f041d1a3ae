"""``voicegw store key``: what it says of a key, and how a lost or a second one is replaced."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from voicegw.api.store_key import StoreKey
from voicegw.api.vault import Vault, trunk_context
from voicegw.cli.main import main
from voicegw.storage.admin import Trunk
from voicegw.storage.audit import AuditFilter
from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store

OLD, NEW = b"o" * 32, b"n" * 32


def seal_by_another(home: Path) -> None:
    """Make a store that node a has sealed a password in; the key of the configuration here is another one."""
    (home / "voicegw.yaml").write_text(
        "store: {url: 'sqlite:///store.sqlite'}\napi: {key_file: secrets.key}\ncluster: {node: b}\n"
    )
    for name, key in (("secrets.key", NEW), ("old.key", OLD)):
        (home / name).write_bytes(key)
        (home / name).chmod(0o600)
    asyncio.run(_seal(home))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    seal_by_another(tmp_path)
    return tmp_path


async def _seal(home: Path) -> None:
    store, vault = Store(StoreConfig(url=f"sqlite:///{home / 'store.sqlite'}")), Vault(OLD)
    await store.start()
    await StoreKey(vault, "", "a").settle(store, 1_790_000_000_000)
    async with store.write() as unit:
        await unit.trunks.add(Trunk("t", "carrier", "{}", 1, 1, secret_sealed=vault.seal("pw", trunk_context("t"))))
    await store.close()


async def _audited(home: Path) -> list[str]:
    store = Store(StoreConfig(url=f"sqlite:///{home / 'store.sqlite'}"))
    async with store.read() as unit:
        entries = await unit.audit.page(AuditFilter())
    await store.close()
    return [one.note.action for one in entries]


def key(home: Path, *options: str) -> int:
    return main(["store", "key", "-c", str(home / "voicegw.yaml"), *options])


def test_it_tells_whose_key_the_store_needs_and_what_cannot_be_opened(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert key(home) == 1
    told = capsys.readouterr().out
    assert "another key than that of node a (since 2026-09-" in told and "do not start" in told
    assert "opens 0 secrets" in told and "does not open: trunk carrier" in told
    assert asyncio.run(_audited(home)) == []


def test_another_key_is_taken_and_what_the_old_one_opens_sealed_anew(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert key(home, "--from", str(home / "old.key")) == 0
    told = capsys.readouterr().out
    assert "is the store's key now; 1 secrets were sealed anew" in told and "does not open" not in told
    assert key(home) == 0
    assert asyncio.run(_audited(home)) == ["key.take"]


def test_a_lost_key_is_replaced_by_this_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert key(home, "--take") == 1
    told = capsys.readouterr().out
    assert "secrets.key is the key of the store, as that of node b" in told
    assert "does not open: trunk carrier" in told


def test_looking_makes_no_key(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "secrets.key").unlink()
    assert key(home) == 1
    assert "start the server once" in capsys.readouterr().err
    assert not (home / "secrets.key").exists()
