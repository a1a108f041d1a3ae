"""The hourly round of the store on a disk that does not do as it is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.unit.storage.sample_call import STARTED_WALL_MS, call_id, sample_call
from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.storage import anchors
from voicegw.storage.anchors import list_anchors
from voicegw.storage.config import RetentionConfig, StoreConfig
from voicegw.storage.maintenance import DAY_MS, Maintenance
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.store import Store
from voicegw.storage.tables.calls import recordings
from voicegw.storage.writer import StoreWriter
from voicegw.testing.manual_clock import ManualClock


class LaterClock(ManualClock):
    """Ten days after the calls."""

    def wall(self) -> float:
        return (STARTED_WALL_MS + 10 * DAY_MS) / 1000


def fill(tmp_path: Path, calls: int) -> StoreConfig:
    """Calls with a recording each."""
    config = StoreConfig(url=f"sqlite:///{tmp_path / 'store.sqlite'}", spool=str(tmp_path / "spool"), batch_ms=1)
    writer = StoreWriter(config, Counters())
    for number in range(calls):
        for entry in sample_call(number):
            writer.append(call_id(number), entry)
    assert writer.settle(20.0)
    writer.close()
    return config


def test_a_recording_that_cannot_be_removed_holds_up_no_anchor(tmp_path: Path) -> None:
    config = fill(tmp_path, 1)

    def remove(path: Path) -> None:
        raise OSError(30, "Read-only file system", str(path))

    async def story() -> None:
        store = Store(config)
        files = NodeFiles(tmp_path / "spool", recordings=tmp_path, remove=remove)
        maintenance = Maintenance(store, RetentionConfig(recordings_days=7), LaterClock(), files)
        try:
            with pytest.raises(LocalError, match=r"Read-only.*call c0"):
                await maintenance.round()
            async with store.read() as unit:
                assert [anchor.calls for anchor in await list_anchors(unit.connection)] == [1]
        finally:
            await store.close()

    asyncio.run(story())


def test_a_busy_hour_is_more_than_one_anchor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchors, "MOST_CALLS", 4)
    config = fill(tmp_path, 9)

    async def story() -> None:
        store = Store(config)
        files = NodeFiles(tmp_path / "spool", recordings=tmp_path)
        maintenance = Maintenance(store, RetentionConfig(), LaterClock(), files)
        try:
            done = await maintenance.round()
            assert [anchor.calls for anchor in done.anchors] == [4, 4, 1]
            assert (await maintenance.round()).anchors == ()
            async with store.read() as unit:
                assert await anchors.verify_anchors(unit.connection) == []
        finally:
            await store.close()

    asyncio.run(story())


def test_one_file_that_stays_holds_up_its_call_alone(tmp_path: Path) -> None:
    config = fill(tmp_path, 9)
    is_locked = True
    gone: set[str] = set()

    def remove(path: Path) -> None:
        if path.name == "c4.wav" and is_locked:
            raise PermissionError(1, "Operation not permitted", str(path))
        if path.name in gone:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        gone.add(path.name)

    async def story() -> None:
        nonlocal is_locked
        store = Store(config)
        files = NodeFiles(tmp_path / "spool", recordings=tmp_path, remove=remove)
        maintenance = Maintenance(store, RetentionConfig(recordings_days=7), LaterClock(), files)

        async def kept() -> list[str]:
            async with store.read() as unit:
                there = recordings.c.deleted_wall_ms.is_(None)
                return list(await unit.connection.scalars(select(recordings.c.call_id).where(there)))

        try:
            with pytest.raises(LocalError, match=r"Operation not permitted.*c4\.wav.*call c4"):
                await maintenance.round()
            assert gone == {f"c{number}.wav" for number in range(9) if number != 4}
            assert await kept() == ["c4"], "and nobody is told that it was erased"
            is_locked = False
            done = await maintenance.round()
            assert [one.call_id for certificate in done.certificates for one in certificate.calls] == ["c4"]
            assert await kept() == []
        finally:
            await store.close()

    asyncio.run(story())


def test_a_disk_that_removes_nothing_is_not_asked_for_each_call(tmp_path: Path) -> None:
    config = fill(tmp_path, 60)
    asked: Counter[str] = Counter()

    def remove(path: Path) -> None:
        asked[path.name] += 1
        raise OSError(30, "Read-only file system", str(path))

    async def story() -> None:
        store = Store(config)
        files = NodeFiles(tmp_path / "spool", recordings=tmp_path, remove=remove)
        try:
            with pytest.raises(OSError, match="Read-only"):
                await Maintenance(store, RetentionConfig(recordings_days=7), LaterClock(), files).round()
        finally:
            await store.close()

    asyncio.run(story())
    assert sum(times > 3 for times in asked.values()) <= 30, "the first twenty and their neighbours"
