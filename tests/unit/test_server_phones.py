"""Phones between gateway and store: accounts of the API come into force, and registrations survive a restart."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.unit.gateway.nodes import Node, run
from tests.unit.gateway.test_phones import DOMAIN, phone, register
from voicegw.api.vault import Vault, phone_context
from voicegw.base.clock import SystemClock
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.phone_secret import write_secret
from voicegw.server_phones import NodePhones
from voicegw.storage.config import StoreConfig
from voicegw.storage.phones import Phone
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


def open_secret(phone_id: str, sealed: bytes) -> str:
    return VAULT.open(sealed, phone_context(phone_id))


class House:
    """A node with its registrar; ``async with`` starts and stops it."""

    def __init__(self, work: Path) -> None:
        self.node = Node(phones=CONFIG)
        self.phones = NodePhones(CONFIG, stored(work), self.node.gateway, SystemClock(), open_secret)
        self.changed = asyncio.Event()
        self.phones.on_change = lambda _state: self.changed.set()

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


def test_an_account_that_the_api_adds_is_taken_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        device = phone()
        async with House(tmp_path) as house:
            await add(tmp_path, "dora")
            await house.phones.accounts_changed()
            assert (await register(device, house.node, "dora")).status == 200
        device.gateway.close()

    run(scenario())
