"""The hourly round of the store on a disk that does not do as it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.unit.storage.sample_call import STARTED_WALL_MS, call_id, sample_call
from voicegw.base.metrics import Counters
from voicegw.storage.anchors import list_anchors
from voicegw.storage.config import RetentionConfig, StoreConfig
from voicegw.storage.maintenance import DAY_MS, Maintenance
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.store import Store
from voicegw.storage.writer import StoreWriter
from voicegw.testing.manual_clock import ManualClock


class LaterClock(ManualClock):
    """Ten days after the calls."""

    def wall(self) -> float:
        return (STARTED_WALL_MS + 10 * DAY_MS) / 1000


def test_a_recording_that_cannot_be_removed_holds_up_no_anchor(tmp_path: Path) -> None:
    config = StoreConfig(url=f"sqlite:///{tmp_path / 'store.sqlite'}", spool=str(tmp_path / "spool"), batch_ms=1)
    writer = StoreWriter(config, Counters())
    for entry in sample_call(0):
        writer.append(call_id(0), entry)
    assert writer.settle(20.0)
    writer.close()

    def remove(path: Path) -> None:
        raise OSError(30, "Read-only file system", str(path))

    async def story() -> None:
        store = Store(config)
        files = NodeFiles(tmp_path / "spool", recordings=tmp_path, remove=remove)
        maintenance = Maintenance(store, RetentionConfig(recordings_days=7), LaterClock(), files)
        try:
            with pytest.raises(OSError, match="Read-only"):
                await maintenance.round()
            async with store.read() as unit:
                assert [anchor.calls for anchor in await list_anchors(unit.connection)] == [1]
        finally:
            await store.close()

    asyncio.run(story())
