"""Trunks as files and as rows of the store: what is edited counts, what is left alone undoes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from voicegw import server_trunks as module
from voicegw.api.key_file import load_key
from voicegw.api.vault import Vault, trunk_context
from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.dialplan.yaml_lines import ConfigProblems
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.server_trunks import TrunkFaces, read_trunk_files
from voicegw.storage.admin import Trunk as Row
from voicegw.storage.config import FileSync, StoreConfig
from voicegw.storage.errors import StoreUnavailable
from voicegw.storage.store import Store, Unit
from voicegw.testing.manual_clock import ManualClock

CARRIER = "name: carrier\nhosts: [192.0.2.1]\nusername: ada\n"


@dataclass
class House:
    """A directory, a store and a desk, with what brings them together."""

    place: Path
    files: FileSync = FileSync.IMPORT

    def __post_init__(self) -> None:
        self.directory = self.place / "trunks"
        self.directory.mkdir(exist_ok=True)
        self.config = StoreConfig(
            url=f"sqlite:///{self.place}/s.sqlite", spool=str(self.place / "spool"), files=self.files
        )
        self.desk = TrunkDesk((), "open", Counters())
        self.key_file = self.place / "key"

    def write(self, text: str, name: str = "carrier") -> None:
        (self.directory / f"{name}.yaml").write_text(text)

    def faces(self, environ: dict[str, str] | None = None, *, uses_store: bool = True) -> TrunkFaces:
        clock = ManualClock()
        return TrunkFaces(
            self.directory, self.config, self.key_file, self.desk, clock, environ or {}, uses_store=uses_store
        )

    async def take(self) -> None:
        """As at a start or SIGHUP, to its end."""
        faces = self.faces()
        faces.reload()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "trunks"))
        await faces.close()

    async def by_api(self, change: Callable[[Unit], Awaitable[object]]) -> None:
        store = Store(self.config)
        try:
            await store.start()
            async with store.write() as unit:
                await change(unit)
        finally:
            await store.close()
        await self.faces().changed()

    @property
    def usernames(self) -> dict[str, str]:
        return {trunk.name: trunk.settings.username for trunk in self.desk.table.trunks}


async def rename(unit: Unit) -> None:
    row = await unit.trunks.by_name("carrier")
    assert row is not None
    settings = TrunkSettings(hosts=("192.0.2.1",), username="by api")
    await unit.trunks.put(replace(row, settings_json=settings.model_dump_json()))


def test_a_file_left_alone_undoes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        house.write(CARRIER)
        await house.take()
        assert house.usernames == {"carrier": "ada"}
        await house.by_api(rename)
        assert house.usernames == {"carrier": "by api"}
        await house.take()
        assert house.usernames == {"carrier": "by api"}
        house.write(CARRIER.replace("ada", "edited"))
        await house.take()
        assert house.usernames == {"carrier": "edited"}
        (house.directory / "carrier.yaml").unlink()
        await house.take()
        assert house.usernames == {}

    asyncio.run(story())


def test_a_trunk_that_the_api_changed_outlives_its_file(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        house.write(CARRIER)
        await house.take()
        await house.by_api(rename)
        (house.directory / "carrier.yaml").unlink()
        await house.take()
        assert house.usernames == {"carrier": "by api"}

    asyncio.run(story())


def test_of_two_changes_in_a_row_the_later_one_stays_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by the API of this node, one by that of another: who has read first must not be done last."""
    read, put, order = module.rows_of_trunks, TrunkDesk.put_in_force, list[str]()

    async def noted_read(unit: Unit) -> list[Row]:
        order.append("read")
        return await read(unit)

    def noted_put(self: TrunkDesk, trunks: Iterable[Trunk]) -> None:
        order.append("put")
        put(self, trunks)

    async def story() -> None:
        house = House(tmp_path)
        house.write(CARRIER)
        await house.take()
        monkeypatch.setattr(module, "rows_of_trunks", noted_read)
        monkeypatch.setattr(TrunkDesk, "put_in_force", noted_put)
        faces = house.faces()
        await asyncio.gather(*(faces.changed() for _ in range(3)))
        assert order == ["read", "put"] * 3

    asyncio.run(story())


def test_the_files_follow_the_store(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, FileSync.MIRROR)
        house.write(CARRIER, "odd name")
        await house.take()
        await house.by_api(rename)
        text = (house.directory / "odd name.yaml").read_text()
        assert "username: by api" in text
        settings = TrunkSettings(hosts=("198.51.100.1",)).model_dump_json()
        await house.by_api(lambda unit: unit.trunks.add(Row("t2", "second", settings, 1, 1, enabled=False)))
        assert read_trunk_files(house.directory)["second"].parsed.enabled is False

    asyncio.run(story())


def test_the_store_alone_counts_where_files_are_off(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, FileSync.OFF)
        house.write(CARRIER)
        await house.take()
        assert house.usernames == {"carrier": "ada"}
        house.write(CARRIER.replace("ada", "edited"))
        await house.take()
        assert house.usernames == {"carrier": "ada"}

    asyncio.run(story())


def test_a_sealed_password_is_opened_for_use_only(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        sealed = Vault(load_key(house.key_file)).seal("s3cret", trunk_context("t1"))
        settings = TrunkSettings(hosts=("192.0.2.1",), username="ada").model_dump_json()
        await house.by_api(lambda unit: unit.trunks.add(Row("t1", "carrier", settings, 1, 1, secret_sealed=sealed)))
        (trunk,) = house.desk.table.trunks
        assert trunk.password == "s3cret"
        assert "s3cret" not in repr(trunk)
        house.key_file.write_bytes(bytes(32))
        await house.faces().changed()
        assert house.desk.table.trunks[0].credentials is None

    asyncio.run(story())


def test_without_a_store_the_files_are_in_force(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        house.write(CARRIER + "password_env: CARRIER\n")
        house.faces({"CARRIER": "s3cret"}, uses_store=False).reload()
        assert house.desk.table.trunks[0].password == "s3cret"
        house.faces(uses_store=False).reload()
        assert house.desk.table.trunks[0].password == ""
        house.write("name: carrier\nhosst: x\n")
        house.faces(uses_store=False).reload()
        assert house.usernames == {"carrier": "ada"}

    asyncio.run(story())


def test_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        house.write(CARRIER)
        await house.take()
        house.write("name: other\nport: 0\n", "other")
        await house.take()
        assert house.usernames == {"carrier": "ada"}

    asyncio.run(story())


def test_files_that_wait_for_the_store_say_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = 3
    honest = Store.start

    async def start(store: Store) -> None:
        nonlocal answers
        answers -= 1
        if answers > 0:
            raise StoreUnavailable("the database does not answer")
        await honest(store)

    monkeypatch.setattr(module, "_AGAIN_S", 0.0)
    monkeypatch.setattr(Store, "start", start)

    async def story() -> None:
        house = House(tmp_path)
        house.write(CARRIER)
        await house.take()
        assert house.usernames == {"carrier": "ada"}

    asyncio.run(story())
    said = [record.getMessage() for record in caplog.records if "wait for the store" in record.getMessage()]
    assert said == ["the files of trunks wait for the store: the database does not answer"]


def test_two_files_of_one_name(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.write(CARRIER)
    house.write(CARRIER, "again")
    with pytest.raises(ConfigProblems, match=r"again\.yaml has a trunk 'carrier' too"):
        read_trunk_files(house.directory)
    assert issubclass(ConfigProblems, ConfigError)
