"""A whole server that is built and not started: what a reload of its file puts in force."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.stir.authority import Authority
from voicegw import server_settings
from voicegw.api.in_force import in_force
from voicegw.api.installation import DIALPLAN, Documents
from voicegw.api.node_board import ReloadReport
from voicegw.base.errors import ConfigError, ProviderError
from voicegw.cluster.redis import RedisShared
from voicegw.config import load_config
from voicegw.gateway.sip_leg import SipGateway
from voicegw.server_api import Served
from voicegw.server_documents import DIALPLAN_NAME
from voicegw.server_llm import LlmParts
from voicegw.storage.config import FileSync, StoreConfig
from voicegw.storage.store import Store

AGENT = "name: hello\nsteps:\n  - hangup: Goodbye.\n"
PLACES = ("agents", "trunks", "calls", "recordings", "cache", "models")


def plan(route: str) -> str:
    return yaml.safe_dump({"routes": [{"name": route, "agent": "hello"}]})


class House:
    """Its directory, and the server."""

    def __init__(self, place: Path, files: str, sections: dict[str, Any]) -> None:
        self.place, self.file = place, place / "voicegw.yaml"
        self.settings: dict[str, Any] = {
            "paths": {name: name for name in PLACES} | {"dialplan": "plan.yaml", "tools": "tools", "control": ""},
            "api": {"enabled": False},
            "store": {"url": "sqlite:///store.sqlite", "spool": "spool", "files": str(files)},
            **sections,
        }
        for name in ("agents", "trunks"):
            (place / name).mkdir()
        (place / "agents" / "hello.yaml").write_text(AGENT)
        (place / "plan.yaml").write_text(plan("first"))
        self._write()
        self.server = Served(load_config(self.file), self.file)

    def _write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.settings))

    async def reload(self, **sections: dict[str, object]) -> ReloadReport:
        """With other settings of these sections; to the end of all that it begins."""
        for section, settings in sections.items():
            self.settings.setdefault(section, {}).update(settings)
        self._write()
        report = await self.server.lifecycle.reload("test")
        await self.quiet()
        return report

    async def quiet(self) -> None:
        """Wait for what takes files and documents in."""
        names = ("documents", "trunks")
        while tasks := [task for task in asyncio.all_tasks() if task.get_name() in names]:
            await asyncio.wait(tasks)

    async def stored(self) -> Documents:
        """What is published in the store, whose tables are made where there are none."""
        store = Store(StoreConfig(url=f"sqlite:///{self.place / 'store.sqlite'}"))
        try:
            await store.start()
            async with store.read() as unit:
                return await in_force(unit)
        finally:
            await store.close()

    async def publish(self, text: str) -> None:
        """A dialplan, in the store."""
        store = Store(StoreConfig(url=f"sqlite:///{self.place / 'store.sqlite'}"))
        try:
            async with store.write() as unit:
                key = (DIALPLAN, DIALPLAN_NAME)
                saved = await unit.documents.save(*key, text.encode(), author="a", now_wall_ms=1, origin="api")
                await unit.documents.publish(*key, saved.version, author="a", now_wall_ms=1)
        finally:
            await store.close()

    @property
    def routes(self) -> list[str]:
        """Of the dialplan that the next call is answered by."""
        return [route.name for route in self.server.node.store.current.dialplan.routes]


def played(place: Path, files: FileSync, story: Callable[[House], Awaitable[None]], **sections: object) -> None:
    async def whole() -> None:
        house = House(place, files, sections)
        try:
            async with asyncio.timeout(60):
                await story(house)
        finally:
            await house.server.close()

    asyncio.run(whole())


def test_files_that_the_store_knew_nothing_of_are_taken_in_from_that_reload_on(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        (tmp_path / "plan.yaml").write_text(plan("second"))
        await house.reload()
        assert house.routes == ["second"] and not (await house.stored()).dialplans
        report = await house.reload(store={"files": "import"})
        assert (report.changed, report.need_restart) == (("store.files",), ())
        assert (await house.stored()).dialplans == {"dialplan": plan("second")}

    played(tmp_path, FileSync.OFF, story)


def test_files_follow_from_the_reload_on_that_says_so_and_no_longer_than_that(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await house.reload()
        await house.publish(plan("second"))
        await house.reload()
        assert house.routes == ["second"] and (tmp_path / "plan.yaml").read_text() == plan("first")
        await house.reload(store={"files": "mirror"})
        assert house.routes == ["second"] and (tmp_path / "plan.yaml").read_text() == plan("second")
        await house.reload(store={"files": "import"})
        by_api = (await house.stored()).changed(DIALPLAN, DIALPLAN_NAME, plan("third"))
        await house.server._faces._installer.install(by_api)
        assert house.routes == ["third"] and (tmp_path / "plan.yaml").read_text() == plan("second")

    played(tmp_path, FileSync.IMPORT, story)


def test_files_alone_count_again_where_there_is_no_api_and_files_are_off(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await house.reload()
        assert (await house.stored()).dialplans == {"dialplan": plan("first")}
        (tmp_path / "plan.yaml").write_text(plan("second"))
        await house.reload(store={"files": "off"})
        assert house.routes == ["second"]
        assert (await house.stored()).dialplans == {"dialplan": plan("first")}

    played(tmp_path, FileSync.IMPORT, story)


def test_what_nodes_share_is_as_the_file_says_from_the_reload_on(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        part, gateway = house.server._cluster, house.server.node.gateway
        assert part is not None and isinstance(gateway, SipGateway)
        shared, bans = part.node._shared, part.node.bans
        assert isinstance(shared, RedisShared)
        assert (gateway.watch.turns.by, bans.is_shared, shared._kept) == ("voicegw", True, 20_000)
        assert gateway.watch._node_name == "a", "two nodes of one machine are two"
        wanted = {"own_registrations": False, "share_bans": False, "events": 300}
        report = await house.reload(cluster=wanted)
        assert (set(report.changed), report.need_restart) == ({f"cluster.{name}" for name in wanted}, ())
        assert (gateway.watch.turns.by, bans.is_shared, shared._kept) == ("", False, 300)
        turns = gateway.watch.turns
        await house.reload(cluster={"events": 400})
        assert gateway.watch.turns is turns, "what stays as it was is not registered anew"
        await house.reload(cluster={"own_registrations": True, "share_bans": True})
        assert (gateway.watch.turns.by, bans.is_shared, shared._kept) == ("voicegw", True, 400)

    played(tmp_path, FileSync.OFF, story, cluster={"redis": "redis://127.0.0.1:1/0", "node": "a"})


def test_agents_dialplan_and_trunks_of_other_places_are_taken_in(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await house.reload()
        for name in ("agents", "trunks"):
            (tmp_path / "new" / name).mkdir(parents=True)
        (tmp_path / "new" / "agents" / "later.yaml").write_text(AGENT.replace("hello", "later"))
        (tmp_path / "new" / "trunks" / "carrier.yaml").write_text("name: carrier\nhosts: [192.0.2.1]\n")
        (tmp_path / "new" / "plan.yaml").write_text(plan("second").replace("hello", "later"))
        wanted = {"agents": "new/agents", "trunks": "new/trunks", "dialplan": "new/plan.yaml"}
        report = await house.reload(paths=wanted)
        assert (set(report.changed), report.need_restart) == ({f"paths.{name}" for name in wanted}, ())
        assert house.routes == ["second"] and list(house.server.node.store.current.agents) == ["later"]
        assert list((await house.stored()).agents) == ["later"], "the other one's file is not there any more"
        gateway = house.server.node.gateway
        assert isinstance(gateway, SipGateway)
        assert [trunk.name for trunk in gateway.trunks.trunks] == ["carrier"]
        with pytest.raises(ConfigError, match="no such directory"):
            await house.reload(paths={"agents": "nowhere"})
        assert house.routes == ["second"]

    played(tmp_path, FileSync.IMPORT, story)


def test_files_of_other_places_count_where_there_is_no_store_of_documents(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        (tmp_path / "other.yaml").write_text(plan("second"))
        await house.reload(paths={"dialplan": "other.yaml"})
        assert house.routes == ["second"]

    played(tmp_path, FileSync.OFF, story)


def test_the_registrar_of_phones_opens_with_its_first_domain(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        gateway = house.server.node.gateway
        assert isinstance(gateway, SipGateway) and not gateway.phones.registers
        hashed = "0" * 32
        report = await house.reload(phones={"domain": "voice.test", "accounts": [{"name": "anna", "md5": hashed}]})
        assert set(report.changed) == {"phones.domain", "phones.accounts"} and not report.need_restart
        assert gateway.phones.registers and list(house.server._phones.snapshot()) == ["anna"]
        assert (house.server._phones.domain, house.server._phones.realm) == ("voice.test", "voice.test")

    played(tmp_path, FileSync.OFF, story)


class Engines:
    """Speech engines that begin to start, and then fail."""

    def __init__(self, failure: BaseException) -> None:
        self._failure = failure
        self.is_closed = False

    async def start(self) -> None:
        raise self._failure

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (ProviderError("flite", "flite is missing", retryable=False), ConfigError),
        (ConfigError("speech-server: the variable KEY is not set"), ConfigError),
        (UnicodeEncodeError("ascii", "a key\u2013", 5, 6, "not in range"), UnicodeEncodeError),
        (asyncio.CancelledError(), asyncio.CancelledError),
    ],
)
def test_of_engines_that_do_not_start_nothing_stays_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, raised: type[BaseException]
) -> None:
    """Whatever it is that fails: of the others processes run already, and what came before is taken back."""
    engines = Engines(failure)
    monkeypatch.setattr(server_settings, "make_speech", lambda *_: engines)

    async def story(house: House) -> None:
        speech, models = house.server.node.speech, house.server.node.models
        assert isinstance(models, LlmParts)
        llm = {"servers": [{"name": "new", "base_url": "http://127.0.0.1:1/v1", "model": "m"}]}
        with pytest.raises(raised):
            await house.reload(llm=llm, speech={"asr_workers": 3})
        assert engines.is_closed
        assert house.server.node.speech is speech and not models._members
        assert house.server.lifecycle.config.speech.asr_workers == 2

    played(tmp_path, FileSync.OFF, story)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"identity": {"trust_anchors": ["root.pem"]}}, "root.pem"),
        ({"identity": {"ca": "root.pem"}}, "root.pem"),
        ({"tls_client": {"ca": "root.pem"}}, "sip.tls_client: .*root.pem"),
    ],
)
def test_a_file_that_is_not_there_yet_counts_from_the_reload_on_that_finds_it(
    tmp_path: Path, settings: dict[str, Any], named: str
) -> None:
    """It was told to be in force, was not, and no later reload saw a difference any more."""

    async def story(house: House) -> None:
        before = house.server.lifecycle.config.sip
        with pytest.raises(ConfigError, match=named):
            await house.reload(sip=settings)
        assert house.server.lifecycle.config.sip == before
        (tmp_path / "root.pem").write_bytes(Authority().pem)
        report = await house.reload()
        assert report.changed
        gateway = house.server.node.gateway
        assert isinstance(gateway, SipGateway)
        wanted = house.server.lifecycle.config.sip
        assert (
            gateway._identities._config == wanted.identity and gateway.wire.tls_clients.default == wanted.tls_client
        )

    played(tmp_path, FileSync.OFF, story)
