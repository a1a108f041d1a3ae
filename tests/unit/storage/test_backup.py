"""A backup beside a writer that goes on: what was acknowledged is in it, wherever it was at that moment."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.unit.storage.sample_call import sample_call
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.storage.backup import Source, restore_backup, verify_backup, write_backup
from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store
from voicegw.storage.writer import StoreWriter

SETTLE_S = 30.0


def store_of(home: Path) -> StoreConfig:
    return StoreConfig(url=f"sqlite:///{home / 'store.sqlite'}", spool=str(home / "spool"), batch_ms=5)


def sources_of(home: Path) -> list[Source]:
    return [
        Source("spool", home / "spool", passed_over=("lock",)),
        Source("store", home / "store.sqlite", is_database=True),
        Source("keys", home / "secrets.key"),
        Source("agents", home / "agents"),
        Source("trunks", home / "no such directory"),
    ]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An installation without a running server."""
    place = tmp_path / "old"
    (place / "agents").mkdir(parents=True)
    (place / "agents" / "one.yaml").write_text("name: one\n")
    (place / "secrets.key").write_bytes(b"k" * 32)
    (place / "secrets.key").chmod(0o600)
    return place


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Nobody else can write to the database meanwhile."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def save(home: Path, file: Path) -> None:
    write_backup(file, home, sources_of(home), version="1", wall=1_700_000_000.0)


def stored_facts(home: Path, call_id: str) -> list[int]:
    """The numbers of the facts of a call after a server has started there; its chain is whole."""
    writer = StoreWriter(store_of(home), Counters())
    assert writer.settle(SETTLE_S)
    writer.close()

    async def look() -> list[int]:
        store = Store(store_of(home))
        try:
            async with store.read() as unit:
                assert (await unit.calls.verify(call_id)).flaws == ()
                return [one.seq for one in await unit.calls.events(call_id, limit=10_000)]
        finally:
            await store.close()

    return asyncio.run(look())


def test_every_acknowledged_fact_is_there_after_a_restore(home: Path, tmp_path: Path) -> None:
    """One call is in the database, another in the spool alone, a third goes on while the backup is made."""
    writer = StoreWriter(store_of(home), Counters())
    first, second = sample_call(1), sample_call(2)
    for entry in first:
        writer.append(CallId("c1"), entry)
    assert writer.settle(SETTLE_S)
    done = threading.Event()

    def go_on() -> None:
        number = 3
        while not done.is_set():
            for entry in sample_call(number):
                writer.append(CallId(f"c{number}"), entry)
            writer.flush()
            number += 1

    talker = threading.Thread(target=go_on)
    with locked(home / "store.sqlite"):
        for entry in second[:3]:
            writer.append(CallId("c2"), entry)
        writer.flush()
        talker.start()
        save(home, tmp_path / "backup.tar.gz")
    done.set()
    talker.join()
    writer.close()

    new = tmp_path / "new"
    manifest, written = restore_backup(tmp_path / "backup.tar.gz", new)
    assert stored_facts(new, "c1") == [entry.seq for entry in first]
    assert stored_facts(new, "c2")[:3] == [entry.seq for entry in second[:3]]
    assert (new / "agents" / "one.yaml").read_text() == "name: one\n"
    assert (new / "secrets.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "backup.tar.gz").stat().st_mode & 0o777 == 0o600
    assert len(written) == len(manifest.members) and not (new / "spool" / "lock.bak").exists()


def test_the_spool_is_its_servers_alone_after_a_restore(home: Path, tmp_path: Path) -> None:
    StoreWriter(store_of(home), Counters()).close()
    save(home, tmp_path / "backup.tar.gz")
    before = os.umask(0o022)
    try:
        restore_backup(tmp_path / "backup.tar.gz", tmp_path / "new")
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "spool").stat().st_mode & 0o777 == 0o700


def test_nothing_is_overwritten(home: Path, tmp_path: Path) -> None:
    StoreWriter(store_of(home), Counters()).close()
    file = tmp_path / "backup.tar.gz"
    save(home, file)
    with pytest.raises(LocalError, match="is there already; choose another name"):
        save(home, file)
    with pytest.raises(LocalError, match=r"nothing is overwritten, and these are there already: .*old/"):
        restore_backup(file, home)
    new = tmp_path / "new"
    (new / "spool").mkdir(parents=True)
    (new / "spool" / "0000000099.spool").touch()
    with pytest.raises(LocalError, match=r"0000000099\.spool"):
        restore_backup(file, new)
    assert [path.name for path in new.rglob("*") if path.is_file()] == ["0000000099.spool"]


def test_what_is_damaged_is_not_restored(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    save(home, file)
    assert {one.role for one in verify_backup(file).members} >= {"keys", "agents"}
    whole = file.read_bytes()
    for wrong in (whole[: len(whole) // 2], b"no archive", whole[:200] + bytes(16) + whole[216:]):
        file.write_bytes(wrong)
        with pytest.raises(LocalError, match=r"no backup|damaged|cut short"):
            restore_backup(file, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_another_content_than_the_manifest_says_is_found(home: Path, tmp_path: Path) -> None:
    save(home, tmp_path / "backup.tar.gz")
    forged = tmp_path / "forged.tar.gz"
    with tarfile.open(tmp_path / "backup.tar.gz") as old, tarfile.open(forged, "w:gz") as new:
        for info in old:
            content = old.extractfile(info)
            if info.name.endswith("secrets.key"):
                (tmp_path / "other").write_bytes(b"x" * 32)
                new.add(tmp_path / "other", info.name)
            else:
                new.addfile(info, content)
    with pytest.raises(LocalError, match=r"is damaged: 02-keys/secrets\.key"):
        verify_backup(forged)
