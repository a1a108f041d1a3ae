"""``voicegw backup`` and ``pg_dump`` during calls; what both bring back elsewhere has all of an installation."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from tests.interop.fault_server import FaultServer
from tests.interop.sound import read_wav, seconds_with, tone
from voicegw.api.key_file import load_key
from voicegw.api.vault import Vault, trunk_context
from voicegw.base.metrics import Counters
from voicegw.cli.main import main
from voicegw.config import Config, load_config
from voicegw.recording.seal_keys import SealPrivateKey, write_key_pair
from voicegw.server_trunks import rows_of_trunks
from voicegw.storage.admin import Trunk
from voicegw.storage.call_records import CallFilter
from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store, Unit
from voicegw.storage.writer import StoreWriter
from voicegw.testing.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

PASSWORD = "of the carrier"
TRUNK_ID = "t_1"


@asynccontextmanager
async def reading(config: StoreConfig) -> AsyncIterator[Unit]:
    store = Store(config)
    try:
        async with store.read() as unit:
            yield unit
    finally:
        await store.close()


async def facts_in(config: StoreConfig) -> dict[str, int]:
    """How many facts of each call the database has."""
    async with reading(config) as unit:
        calls = (await unit.calls.page(CallFilter(), None, 10)).calls
        return {call.id: len(await unit.calls.events(call.id, limit=10_000)) for call in calls}


async def add_trunk(config: Config) -> None:
    """As the API does: with its password sealed."""
    sealed = Vault(load_key(Path(config.api.key_file))).seal(PASSWORD, trunk_context(TRUNK_ID))
    store = Store(config.store)
    async with store.write() as unit:
        await unit.trunks.add(Trunk(TRUNK_ID, "carrier", '{"hosts": ["127.0.0.9"]}', 0, 0, secret_sealed=sealed))
    await store.close()


async def password_of_trunk(config: Config) -> str:
    """That of the only one, as a server would send it."""
    async with reading(config.store) as unit:
        (row,) = await rows_of_trunks(unit)
    assert row.secret_sealed is not None
    return Vault(load_key(Path(config.api.key_file))).open(row.secret_sealed, trunk_context(row.id))


async def said_by_caller(config: StoreConfig, call_id: str) -> list[str]:
    async with reading(config) as unit:
        lines = (await unit.calls.detail(call_id)).transcript
    return [line.text for line in lines if line.speaker == "caller"]


def settle(config: StoreConfig) -> None:
    """What a server that starts does first: what is in the spool goes into the database."""
    writer = StoreWriter(config, Counters())
    assert writer.settle(30)
    writer.close()


def voicegw(*words: str | Path) -> int:
    return main([str(word) for word in words])


def run_what_it_says(said: str, program: str, work: Path, *, named: str, meant: str) -> None:
    """The command of PostgreSQL that ``voicegw`` has printed, for the database that is meant instead."""
    (line,) = (line for line in said.splitlines() if line.startswith(f"{program} "))
    words = shlex.split(line)
    assert words.count(named) == 1, line
    command = [meant if word == named else word for word in words]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_installation_with_postgresql_comes_back_from_archive_and_dump(
    tmp_path: Path, cluster: PostgresCluster, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url, new_url = cluster.new_database(empty_database), cluster.new_database()
    settings = {
        "api": {"enabled": False, "key_file": "secrets.key"},
        "store": {"url": url},
        "recording": {"seal_to": ["seal.pub"], "unseal_with": ["seal.key"]},
    }
    server = FaultServer(tmp_path, settings=settings)
    write_key_pair(SealPrivateKey.generate(), server.home / "seal.key", server.home / "seal.pub")
    archive, new = tmp_path / "backup.tar.gz", tmp_path / "elsewhere"
    asyncio.run(add_trunk(load_config(server.configuration)))
    with server, server.phone("late") as late:
        with server.phone("early") as early:
            assert early.dial() == 200
            early.play(tone(1000, 1.5))
            early.wait_played()
            early.press("2468#")
            server.wait_facts(early, "CallerSpoke")
            early.hang_up()
            recording = Path(server.wait_ended(early).one("RecordingHasEnded")["path"])
        assert late.dial() == 200
        late.press("1357#")
        server.wait_facts(late, "CallerSpoke")
        store = load_config(server.configuration).store
        server.wait(lambda: len(asyncio.run(facts_in(store))) == 2, 30, "both calls are stored")
        acknowledged = asyncio.run(facts_in(store))
        assert voicegw("backup", archive, "-c", server.configuration, "--recordings") == 0
        run_what_it_says(capsys.readouterr().out, "pg_dump", tmp_path, named=url, meant=url)
        late.hang_up()
        server.wait_ended(late)
    assert voicegw("restore", archive, new) == 0
    run_what_it_says(capsys.readouterr().out, "pg_restore", tmp_path, named=url, meant=new_url)
    configuration = new / "voicegw.yaml"
    words = yaml.safe_load(configuration.read_text())
    configuration.write_text(yaml.safe_dump(words | {"store": words["store"] | {"url": new_url}}))

    config = load_config(configuration)
    settle(config.store)
    found = asyncio.run(facts_in(config.store))
    assert all(found[call] >= count for call, count in acknowledged.items()), (found, acknowledged)
    assert voicegw("store", "verify", "-c", configuration) == 0
    assert "2 calls, 0 of them open, 0 facts lost" in capsys.readouterr().out
    assert asyncio.run(password_of_trunk(config)) == PASSWORD
    call_id = recording.name.partition(".")[0]
    assert "[keys 2468]" in asyncio.run(said_by_caller(config.store, call_id))
    sealed, plain = new / "recordings" / recording.name, tmp_path / "plain.wav"
    assert voicegw("recordings", "unseal", sealed, "--out", plain, "-c", configuration) == 0
    caller, _agent = read_wav(plain)
    assert seconds_with(caller, 1000) >= 1
