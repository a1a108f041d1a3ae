"""Recordings go without a disk before calls do."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from voicegw.audio import wav
from voicegw.base.ids import CallId
from voicegw.recording.quota import DiskQuota
from voicegw.recording.writer import Failed, RecordingWriter, Started

HOUR_S = 3600.0
MB = 1_000_000


class Disk:
    """A disk whose room the test decides, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free_mb = 1000
        self.now = 0.0
        self.looks = 0
        real = os.statvfs("/")

        def look(_folder: str) -> os.statvfs_result:
            self.looks += 1
            fields = list(real)
            fields[1], fields[4] = MB, self.free_mb
            return os.statvfs_result(fields)

        monkeypatch.setattr(os, "statvfs", look)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_without_limits_nobody_looks(disk: Disk) -> None:
    assert DiskQuota().refusal("/x/y.wav") == ""
    assert disk.looks == 0


def test_room_that_is_not_for_recordings(disk: Disk) -> None:
    quota = DiskQuota(500, monotonic=lambda: disk.now)
    assert quota.refusal("/x/y.wav") == ""
    disk.free_mb = 499
    assert quota.refusal("/x/y.wav") == "" and disk.looks == 1, "looked at every five seconds"
    disk.now = 5.0
    assert quota.refusal("/x/y.wav").startswith("the disk has 499 MB left")
    disk.free_mb, disk.now = 800, 10.0
    assert quota.refusal("/x/y.wav") == "", "somebody has made room"


def test_what_recordings_may_take_together(tmp_path: Path) -> None:
    quota = DiskQuota(max_total_mb=1)
    (tmp_path / "old.wav").write_bytes(bytes(MB // 2))
    assert quota.refusal(str(tmp_path / "new.wav")) == ""
    (tmp_path / "older.wav").write_bytes(bytes(MB))
    assert "take 1 MB of the 1" in DiskQuota(max_total_mb=1).refusal(str(tmp_path / "new.wav"))


def test_a_running_recording_stops_and_what_was_written_can_be_played(disk: Disk, tmp_path: Path) -> None:
    path, call = tmp_path / "call.wav", CallId("c")
    quota = DiskQuota(500, monotonic=lambda: disk.now)
    writer = RecordingWriter(drain_interval_s=HOUR_S, quota=quota, monotonic=lambda: disk.now)
    writer.start(call, str(path))
    writer.write(call, np.full(160, 7, np.int16), np.full(160, 8, np.int16))
    writer._drain()
    disk.free_mb, disk.now = 100, 6.0
    writer.write(call, np.full(160, 7, np.int16), np.full(160, 8, np.int16))
    writer._drain()
    started, failed = writer.poll()
    assert isinstance(started, Started) and isinstance(failed, Failed)
    assert failed.reason.startswith("the disk has 100 MB left")
    assert len(wav.parse(path.read_bytes()).samples) == 160
    writer.start(CallId("next"), str(tmp_path / "next.wav"))
    writer._drain()
    assert [type(event) for event in writer.poll()] == [Failed]
    assert not (tmp_path / "next.wav.part").exists()
    writer.close()
