"""A node's key and the store's: the first node's counts, another one is refused, and a lost one can be replaced."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.api.rig import FakeInstaller
from voicegw.api.config import ApiConfig
from voicegw.api.service import ApiService, Wiring
from voicegw.api.store_key import CHECK, OtherKey, StoreKey
from voicegw.api.vault import Vault, phone_context, totp_context, trunk_context, webhook_context
from voicegw.base.errors import LocalError
from voicegw.storage.admin import Trunk
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import Conflict
from voicegw.storage.phones import Phone
from voicegw.storage.store import Store
from voicegw.storage.users import User
from voicegw.storage.webhooks import Subscription
from voicegw.testing.manual_clock import ManualClock

A, B = Vault(b"a" * 32), Vault(b"b" * 32)
NOW_MS = 1_790_000_000_000


def with_store(tmp_path: Path, scenario: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        store = Store(StoreConfig(url=f"sqlite:///{tmp_path / 'store.sqlite'}"))
        try:
            assert await store.database.is_new()
            await store.start()
            assert not await store.database.is_new()
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(run())


def key_of(vault: Vault, node: str = "a") -> StoreKey:
    return StoreKey(vault, f"/etc/{node}.key", node)


async def settle(store: Store, vault: Vault, node: str = "a") -> None:
    await key_of(vault, node).settle(store, NOW_MS)


async def add_trunk(store: Store, vault: Vault, name: str = "carrier") -> None:
    async with store.write() as unit:
        await unit.trunks.add(Trunk(name, name, "{}", 1, 1, secret_sealed=vault.seal("pw", trunk_context(name))))


def shared(store: Store) -> Store:
    """As a store on a server, which nodes of other machines use, too."""
    store.database.is_sqlite = False
    return store


def test_the_first_key_is_the_stores_and_another_one_is_refused(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        await settle(shared(store), A)
        await settle(store, A, "c")
        with pytest.raises(OtherKey) as refused:
            await settle(store, B, "b")
        told = str(refused.value)
        assert told.startswith("/etc/b.key: ") and "store.sqlite" in told and "node a (since 2026-09-" in told
        assert "one api.key_file" in told and "voicegw store key" in told
        await settle(store, A)

    with_store(tmp_path, scenario)


def test_the_stores_password_is_not_told(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        await settle(shared(store), A)
        store.database.url = store.database.url.set(
            drivername="postgresql+asyncpg", password="hidden", username="v"
        )
        with pytest.raises(OtherKey, match=r"postgresql://v:\*\*\*@") as refused:
            await settle(store, B)
        assert "hidden" not in str(refused.value)

    with_store(tmp_path, scenario)


def test_of_two_nodes_that_start_at_once_one_is_first(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        await asyncio.gather(*(settle(store, A) for _ in range(4)))
        async with store.read() as unit:
            first = await unit.secrets.find(CHECK)
        assert first is not None
        with pytest.raises(Conflict):
            async with store.write() as unit:
                await unit.secrets.add(first)

    with_store(tmp_path, scenario)


def test_a_store_from_before_takes_the_key_that_opens_its_secrets(tmp_path: Path) -> None:
    """Else the first to start after an update would lock out the one who has the key."""

    async def scenario(store: Store) -> None:
        await add_trunk(store, A)
        with pytest.raises(OtherKey, match="the one that its secrets are sealed with"):
            await settle(shared(store), B, "b")
        await settle(store, A)

    with_store(tmp_path, scenario)


def test_a_cluster_that_had_two_keys_goes_on_with_the_one_that_opens_something(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(store: Store) -> None:
        await add_trunk(store, A)
        await add_trunk(store, B, "other")
        await settle(shared(store), A)
        assert "does not open the secrets of 1 trunk" in caplog.text
        with pytest.raises(OtherKey):
            await settle(store, B, "b")

    with_store(tmp_path, scenario)


def test_on_one_machine_a_lost_key_with_which_nothing_was_sealed_is_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(store: Store) -> None:
        await settle(store, A)
        await settle(store, B)
        assert "nothing was sealed with another one" in caplog.text
        await add_trunk(store, B)
        with pytest.raises(OtherKey):
            await settle(store, A)

    with_store(tmp_path, scenario)


def test_an_installation_from_before_that_lost_its_key_still_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(store: Store) -> None:
        await add_trunk(store, A)
        await settle(store, B)
        assert "does not open the secrets of 1 trunk: enter them anew" in caplog.text

    with_store(tmp_path, scenario)


async def add_all(store: Store, vault: Vault) -> None:
    """A secret of every kind."""
    await add_trunk(store, vault)
    seal = vault.seal
    async with store.write() as unit:
        await unit.phones.add(Phone("p1", "anna", 1, 1, secret_sealed=seal("ha1", phone_context("p1"))))
        await unit.phones.add(Phone("p2", "bert", 1, 1))
        await unit.users.add(User("u1", "ann", 1, 1, totp_sealed=seal("00", totp_context("u1"))))
        webhook = Subscription("w1", "crm", "https://crm.example", seal("s", webhook_context("w1")), 1, 1)
        await unit.subscriptions.add(webhook)


def test_a_lost_key_is_replaced_and_what_is_lost_is_told(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        await settle(shared(store), A)
        await add_all(store, A)
        async with store.write() as unit:
            state = await key_of(B).take(unit, None, NOW_MS)
        assert state.fits and state.readable == 0
        names = [(row.kind.value, row.name) for row in state.lost]
        assert names == [("trunk", "carrier"), ("phone", "anna"), ("user", "ann"), ("webhook", "crm")]
        await settle(store, B)
        with pytest.raises(OtherKey):
            await settle(store, A)

    with_store(tmp_path, scenario)


def test_another_key_opens_everything_that_was_sealed_anew(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        await settle(shared(store), A)
        await add_all(store, A)
        await add_trunk(store, B, "by-b")
        await add_trunk(store, Vault(os.urandom(32)), "long-lost")
        async with store.write() as unit:
            state = await key_of(B).take(unit, A, NOW_MS)
        assert state.fits and state.readable == 5 and [row.name for row in state.lost] == ["long-lost"]
        async with store.read() as unit:
            trunk, user = await unit.trunks.get("carrier"), await unit.users.get("u1")
            webhook = await unit.subscriptions.get("w1")
        assert trunk.secret_sealed is not None and user.totp_sealed is not None
        assert B.open(trunk.secret_sealed, trunk_context("carrier")) == "pw" and trunk.version == 1
        assert B.open(user.totp_sealed, totp_context("u1")) == "00"
        assert B.open(webhook.secret_sealed, webhook_context("w1")) == "s"

    with_store(tmp_path, scenario)


def service(tmp_path: Path, key: bytes, store: StoreConfig) -> ApiService:
    (tmp_path / "b.key").write_bytes(key)
    (tmp_path / "b.key").chmod(0o600)
    config = ApiConfig(key_file=str(tmp_path / "b.key"))
    return ApiService(config, store, Wiring(FakeInstaller(), node_name="b"), ManualClock())


def test_a_node_asks_before_it_starts_and_makes_a_store_where_there_is_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = StoreConfig(url=f"sqlite:///{tmp_path / 'new' / 'store.sqlite'}")
        await service(tmp_path, b"b" * 32, config).check_key()
        store = Store(config)
        await add_trunk(store, B)
        await store.close()
        await service(tmp_path, b"b" * 32, config).check_key()
        with pytest.raises(OtherKey, match="node b"):
            await service(tmp_path, b"c" * 32, config).check_key()

    asyncio.run(scenario())


def test_a_store_that_is_away_holds_up_no_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "no_directory").touch()
    config = StoreConfig(url=f"sqlite:///{tmp_path / 'no_directory' / 'x' / 'store.sqlite'}", busy_timeout_ms=100)
    with caplog.at_level("INFO"):
        asyncio.run(service(tmp_path, b"b" * 32, config).check_key())
    assert "the key of secrets is compared later" in caplog.text


def test_a_node_that_learns_it_late_seals_and_opens_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The store came after the start. That the work returns shows that no webhook is sent, or counted as failed."""

    async def scenario(store: Store) -> None:
        await settle(store, A)
        await add_trunk(store, A)
        api = service(tmp_path, b"b" * 32, StoreConfig(url=f"sqlite:///{tmp_path / 'store.sqlite'}"))
        await api._keep_store(SimpleNamespace(store=store), None)  # type: ignore[arg-type]
        assert api.counters.snapshot()["api_key_refused"] == 1
        assert "nothing is sealed or opened here" in caplog.text and "it needs that of node a" in caplog.text
        with pytest.raises(LocalError, match="another key than the store"):
            api._vault.seal("text", "place")
        with pytest.raises(LocalError, match="another key than the store"):
            api._vault.open(B.seal("text", "place"), "place")

    with_store(tmp_path, scenario)
