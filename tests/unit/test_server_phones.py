"""Phones between gateway and store: accounts of the API come into force, and registrations survive a restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.api.rig import FakeInstaller
from tests.unit.gateway.nodes import Node, run, until
from tests.unit.gateway.test_phones import DOMAIN, phone, register
from voicegw.api.installation import NoTrunks
from voicegw.api.vault import Vault, phone_context
from voicegw.base.clock import SystemClock
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.phone_secret import write_secret
from voicegw.server_cluster_config import Followed
from voicegw.server_phones import NodePhones
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import Conflict
from voicegw.storage.phones import BindingRepository, Phone
from voicegw.storage.store import Store

VAULT = Vault(os.urandom(32))
CONFIG = PhonesConfig(DOMAIN)


def stored(work: Path) -> StoreConfig:
    return StoreConfig(url=f"sqlite:///{work / 'store.sqlite'}")


async def add(work: Path, name: str, realm: str = DOMAIN) -> None:
    """What the API does."""
    store = Store(stored(work))
    await store.start()
    sealed = VAULT.seal(write_secret(name, realm, f"{name}'s secret"), phone_context(f"p_{name}"))
    async with store.write() as unit:
        await unit.phones.add(Phone(f"p_{name}", name, 1, 1, display_name=name.title(), secret_sealed=sealed))
    await store.close()


async def remove(work: Path, name: str) -> None:
    store = Store(stored(work))
    await store.start()
    async with store.write() as unit:
        await unit.phones.delete(f"p_{name}")
    await store.close()


def open_secret(phone_id: str, sealed: bytes) -> str:
    return VAULT.open(sealed, phone_context(phone_id))


class House:
    """A node with its registrar; ``async with`` starts and stops it."""

    def __init__(self, work: Path, config: PhonesConfig = CONFIG, *, name: str = "") -> None:
        self.node = Node(phones=config)
        clock = SystemClock()
        self.phones = NodePhones(config, stored(work), self.node.gateway, clock, open_secret, node=name)
        self.changed = asyncio.Event()
        self.phones.on_change = lambda _state: self.changed.set()

    def use(self, config: PhonesConfig) -> None:
        """As a reload does it."""
        self.node.gateway.use_phones(config)
        self.phones.use(config)

    async def __aenter__(self) -> House:
        self.phones.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.phones.close()
        self.node.gateway.close()

    async def knows(self, name: str, *, registered: bool = False) -> None:
        while not (state := self.phones.snapshot().get(name)) or state.registered is not registered:
            self.changed.clear()
            await self.changed.wait()

    async def lacks(self, name: str) -> None:
        await until(lambda: name not in self.phones.snapshot())


def follow(work: Path, house: House) -> Followed:
    """What joins a node to the others."""
    return Followed(stored(work), FakeInstaller(), NoTrunks(), SystemClock(), house.phones)


def test_accounts_of_the_api_register_and_what_they_registered_survives_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        await add(tmp_path, "carl")
        await add(tmp_path, "old", realm="other.test")
        device = phone()
        async with House(tmp_path) as house:
            await house.knows("carl")
            assert "old" not in house.phones.snapshot(), "its password is for another realm"
            assert (await register(device, house.node, "carl")).status == 200
            await house.knows("carl", registered=True)
        async with House(tmp_path) as again:
            await again.knows("carl", registered=True)
            state = again.phones.snapshot()["carl"]
            assert (state.display_name, state.devices) == ("Carl", ("voicegw",))
            gone = await register(device, again.node, "carl", contact=f"<sip:carl@{device.address}>;expires=0")
            assert gone.status == 200 and not again.phones.snapshot()["carl"].registered
        async with House(tmp_path) as last:
            await last.knows("carl")
        device.gateway.close()

    run(scenario())


def test_the_first_domain_opens_the_registrar_and_another_realm_reads_accounts_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        await add(tmp_path, "carl")
        await add(tmp_path, "dora", realm="elsewhere")
        device = phone()
        async with House(tmp_path, PhonesConfig()) as house:
            assert house.phones._task is None
            await house.phones.take_accounts()
            house.use(CONFIG)
            await house.knows("carl")
            assert (await register(device, house.node, "carl")).status == 200
            await house.knows("carl", registered=True)
            house.use(replace(CONFIG, realm="elsewhere"))
            await house.knows("dora")
            assert "carl" not in house.phones.snapshot()
            house.use(CONFIG)
            await house.knows("carl")
            assert "dora" not in house.phones.snapshot()
        device.gateway.close()

    run(scenario())


def test_an_account_that_the_api_adds_is_taken_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        device = phone()
        async with House(tmp_path) as house:
            await add(tmp_path, "dora")
            await house.phones.accounts_changed()
            assert (await register(device, house.node, "dora")).status == 200
        device.gateway.close()

    run(scenario())


def test_what_the_api_of_one_node_stores_registers_at_the_other_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        device = phone()
        async with House(tmp_path) as here, House(tmp_path) as there:
            followed = [follow(tmp_path, house) for house in (here, there)]
            followed[0].announce = followed[1].changed
            await add(tmp_path, "dora")
            await here.phones.accounts_changed()
            await there.knows("dora")
            assert (await register(device, there.node, "dora")).status == 200
            await there.knows("dora", registered=True)
            await remove(tmp_path, "dora")
            await here.phones.accounts_changed()
            await there.lacks("dora")
            assert (await register(device, there.node, "dora")).status != 200
            await followed[1].close()
        device.gateway.close()

    run(scenario())


def test_a_phone_that_registered_directly_at_another_node_is_that_ones_alone(tmp_path: Path) -> None:
    """Who took it for its own would ask through a NAT that is open for the other one, and forget it for both."""

    async def scenario() -> None:
        await add(tmp_path, "carl")
        device = phone()
        async with House(tmp_path, name="a") as house:
            await house.knows("carl")
            assert (await register(device, house.node, "carl")).status == 200
            await house.knows("carl", registered=True)
        for name, registered in (("b", False), ("a", True), ("", True)):
            async with House(tmp_path, name=name) as again:
                await until(lambda house=again: house.phones.is_restored)  # type: ignore[misc]
                assert again.phones.snapshot()["carl"].registered is registered
        device.gateway.close()

    run(scenario())


def test_what_the_store_refuses_once_keeps_nothing_else_from_being_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another node was faster with the same phone."""
    put, refusals = BindingRepository.put, [Conflict("the database refused it")]

    async def refused_once(self: BindingRepository, changed: Mapping[str, str | None], now_wall_ms: int) -> None:
        if refusals:
            raise refusals.pop()
        await put(self, changed, now_wall_ms)

    monkeypatch.setattr(BindingRepository, "put", refused_once)

    async def scenario() -> None:
        await add(tmp_path, "carl")
        await add(tmp_path, "dora")
        device = phone()
        async with House(tmp_path) as house:
            await house.knows("dora")
            assert (await register(device, house.node, "carl")).status == 200
            await until(lambda: not refusals)
            assert (await register(device, house.node, "dora")).status == 200
            await house.knows("dora", registered=True)
        async with House(tmp_path) as again:
            await again.knows("dora", registered=True)
            assert again.phones.snapshot()["carl"].registered
        device.gateway.close()

    run(scenario())


def test_what_was_stored_while_nobody_could_be_heard_is_taken_afterwards(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with House(tmp_path) as house:
            followed = follow(tmp_path, house)
            await add(tmp_path, "dora")
            followed.refresh()
            await house.knows("dora")
            await followed.close()

    run(scenario())
