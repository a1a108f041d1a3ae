"""What one node publishes is in force on the others that share its database, and nothing older than it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.api.rig import FakeInstaller
from tests.unit.gateway.nodes import until
from voicegw.api.in_force import in_force
from voicegw.api.installation import AGENT, DIALPLAN, Documents
from voicegw.base.clock import Clock, SystemClock
from voicegw.server_cluster_config import DOCUMENTS, TRUNKS, Followed, FollowedTrunks, digest_of
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import StoreUnavailable
from voicegw.storage.store import Store
from voicegw.testing.manual_clock import ManualClock

AGENT_TEXT = "name: desk\ngreeting: Hello.\nsteps:\n  - say: {text: Hello}\n"
ROUTES = "routes: [{name: all, agent: desk}]\n"


class Trunks:
    """Counts how often the store's trunks were put in force."""

    def __init__(self) -> None:
        self.times = self.failures = 0

    async def changed(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the database: gone")
        self.times += 1


class Side:
    """A node as far as its configuration goes."""

    def __init__(self, config: StoreConfig, clock: Clock) -> None:
        self.installer, self.trunks = FakeInstaller(), Trunks()
        self.followed = Followed(config, self.installer, self.trunks, clock)


def run(path: Path, scenario: Callable[[Store, Side, Side], Awaitable[None]], clock: Clock | None = None) -> None:
    """``clock``: one that stands still never gives up waiting for what was announced."""

    async def whole() -> None:
        config = StoreConfig(url=f"sqlite:///{path}/store.sqlite")
        followed_by = clock or SystemClock()
        store, a, b = Store(config), Side(config, followed_by), Side(config, followed_by)
        a.followed.announce = b.followed.changed
        await store.start()
        async with asyncio.timeout(20):
            await scenario(store, a, b)
        await b.followed.close()
        await store.close()

    asyncio.run(whole())


async def publish(store: Store, a: Side, greeting: str) -> None:
    """As the API does: what is put in force is announced before it is committed."""
    async with store.write() as unit:
        for kind, name, text in (
            (AGENT, "desk", AGENT_TEXT.replace("Hello.", greeting)),
            (DIALPLAN, "dialplan", ROUTES),
        ):
            saved = await unit.documents.save(kind, name, text.encode(), author="ada", now_wall_ms=1)
            await unit.documents.publish(kind, name, saved.version, author="ada", now_wall_ms=1)
        await a.followed.install(await in_force(unit))


async def installed(b: Side, times: int) -> None:
    await until(lambda: len(b.installer.installed) >= times)


def test_what_is_published_on_one_is_in_force_on_the_other(tmp_path: Path) -> None:
    async def scenario(store: Store, a: Side, b: Side) -> None:
        await publish(store, a, "First.")
        await installed(b, 1)
        await publish(store, a, "Second.")
        await installed(b, 2)
        assert [digest_of(one) for one in b.installer.installed] == [
            digest_of(one) for one in a.installer.installed
        ]
        assert "Second." in b.installer.installed[-1].agents["desk"]

    run(tmp_path, scenario)


def test_of_two_publications_in_a_row_the_newer_one_is_not_kept_waiting_for_the_older(tmp_path: Path) -> None:
    async def scenario(store: Store, a: Side, b: Side) -> None:
        told: list[tuple[str, str]] = []
        a.followed.announce = lambda part, digest: told.append((part, digest))
        await publish(store, a, "First.")
        await publish(store, a, "Second.")
        for part, digest in told:
            b.followed.changed(part, digest)
        await installed(b, 1)
        assert "Second." in b.installer.installed[0].agents["desk"]

    run(tmp_path, scenario, ManualClock())


class HeldUp(FakeInstaller):
    """What is put in force first takes until ``goes_on``."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.goes_on = asyncio.Event(), asyncio.Event()

    async def install(self, documents: Documents) -> None:
        if not self.begun.is_set():
            self.begun.set()
            await self.goes_on.wait()
        await super().install(documents)


def test_what_is_published_here_while_another_ones_is_being_put_in_force_stays_in_force(tmp_path: Path) -> None:
    async def scenario(store: Store, a: Side, b: Side) -> None:
        a.followed.announce = lambda _part, _digest: None
        await publish(store, a, "First.")
        b.followed._installer = installer = HeldUp()
        b.followed.changed(DOCUMENTS, digest_of(a.installer.installed[0]))
        await installer.begun.wait()
        publishing = asyncio.create_task(publish(store, b, "Second."))
        await asyncio.wait((publishing,), timeout=0.1)  # it may come to its end, or not
        installer.goes_on.set()
        await publishing
        await until(lambda: len(installer.installed) == 2)
        assert "Second." in installer.installed[-1].agents["desk"]

    run(tmp_path, scenario)


def test_what_was_read_before_something_was_published_here_is_not_put_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(store: Store, a: Side, b: Side) -> None:
        await publish(store, a, "First.")
        await installed(b, 1)
        close, is_read, goes_on = Store.close, asyncio.Event(), asyncio.Event()

        async def held_up(self: Store) -> None:
            monkeypatch.setattr(Store, "close", close)
            is_read.set()
            await goes_on.wait()
            await close(self)

        monkeypatch.setattr(Store, "close", held_up)
        b.followed.refresh()
        await is_read.wait()
        await publish(store, b, "Second.")
        goes_on.set()
        await until(lambda: b.trunks.times > 0)  # what was to be looked at after it
        assert "Second." in b.installer.installed[-1].agents["desk"] and len(b.installer.installed) == 2

    run(tmp_path, scenario)


def test_what_is_in_force_already_is_left_alone(tmp_path: Path) -> None:
    async def scenario(store: Store, a: Side, b: Side) -> None:
        await publish(store, a, "First.")
        await installed(b, 1)
        b.followed.changed(DOCUMENTS, digest_of(b.installer.installed[0]))
        b.followed.refresh()
        await until(lambda: b.trunks.times > 0)
        assert len(b.installer.installed) == 1

    run(tmp_path, scenario)


def test_what_was_announced_while_the_store_was_away_is_in_force_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicegw.server_cluster_config._STORE_AGAIN_S", 0.001)

    async def scenario(store: Store, a: Side, b: Side) -> None:
        b.trunks.failures = 3
        b.followed.changed(TRUNKS, "")
        await until(lambda: b.trunks.times == 1)
        assert b.trunks.failures == 0

    run(tmp_path, scenario)


def test_a_changed_trunk_is_told(tmp_path: Path) -> None:
    async def scenario(store: Store, a: Side, b: Side) -> None:
        await FollowedTrunks(a.followed).changed()
        await until(lambda: b.trunks.times > 0)
        assert a.trunks.times == 1
        told: list[str] = []
        a.followed.announce = lambda part, _digest: told.append(part)
        await a.followed.changed_here()
        assert told == [TRUNKS]

    run(tmp_path, scenario)
