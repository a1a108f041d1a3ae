"""What a node keeps of calls on its disks, in folders that change while it runs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from voicegw.storage.node_files import ErasedFiles, NodeFiles, Scope

FOLDERS = ("old", "new")


@pytest.fixture
def files(tmp_path: Path) -> NodeFiles:
    """Two folders of recordings and two of logs, with the files of a call each, ``a`` in the old ones."""
    for kind in ("recordings", "logs"):
        for name in FOLDERS:
            (tmp_path / kind / name).mkdir(parents=True)
    for call, name in zip("ab", FOLDERS, strict=True):
        for file in (f"{call}.wav", f"{call}-1.pcap"):
            (tmp_path / "recordings" / name / file).write_bytes(b"x")
        (tmp_path / "logs" / name / f"{call}.jsonl").write_bytes(b"x")
    files = NodeFiles(tmp_path / "spool", tmp_path / "recordings" / "old", tmp_path / "logs" / "old")
    files.move(tmp_path / "recordings" / "new", tmp_path / "logs" / "new")
    return files


def left(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.rglob("*") if path.is_file())


def test_a_call_is_erased_wherever_it_left_its_files(files: NodeFiles, tmp_path: Path) -> None:
    found = asyncio.run(files.erase(Scope.EVERYTHING, ["a"]))
    assert found == ErasedFiles(recording_files=2, log_files=1)
    assert left(tmp_path) == ["b-1.pcap", "b.jsonl", "b.wav"]
    assert asyncio.run(files.erase(Scope.EVERYTHING, ["b"])) == found
    assert left(tmp_path) == []


@pytest.mark.parametrize("kind", ["wav", "opus"])
def test_recordings_of_a_call_that_lost_its_media_are_erased_with_it(
    files: NodeFiles, tmp_path: Path, kind: str
) -> None:
    """Each media worker that had the call wrote its own; what no fact tells of was recovered after a crash."""
    folder = tmp_path / "recordings" / "new"
    for name in ("-2", "-3", "-12", ".recovered-1", "-2.recovered-1"):
        for end in ("", ".sealed"):
            for part in ("", ".part"):
                (folder / f"a{name}.{kind}{end}{part}").write_bytes(b"x")
    (folder / f"a-2.{kind}.recovered-1.sealed").write_bytes(b"x")  # as versions of before had it
    others = {f"aa-2.{kind}", f"a-b-2.{kind}", f"a-2.{kind}.txt", "a2.wav"}
    for name in others:
        (folder / name).write_bytes(b"x")
    found = asyncio.run(files.erase(Scope.RECORDING, ["a"]))
    assert found.recording_files == 2 + 5 * 4 + 1
    assert set(left(tmp_path)) == others | {"a.jsonl", "b.wav", "b-1.pcap", "b.jsonl"}


def test_many_calls_cost_no_more_looks_at_a_folder_than_one(
    files: NodeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that starts follows what was erased in a month: with a look for each call that took it hours."""
    looks: list[object] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda *place: looks.append(place) or scan(*place))  # type: ignore[func-returns-value]
    asyncio.run(files.erase(Scope.RECORDING, ["c"]))
    one = len(looks)
    found = asyncio.run(files.erase(Scope.RECORDING, [f"c{number}" for number in range(100)] + ["a", "b"]))
    assert found.recording_files == 4
    assert len(looks) - one == one > 0


def test_what_is_old_goes_from_all_folders(files: NodeFiles, tmp_path: Path) -> None:
    for path in tmp_path.rglob("*.*"):
        os.utime(path, (1.0, 1.0))
    moments = {"tools_before": 0.0, "logs_before": 2.0, "recordings_before": 2.0, "captures_before": 2.0}
    assert asyncio.run(files.forget(**moments)) == ErasedFiles(recording_files=4, log_files=2)


def test_captures_are_found_in_all_folders_also_where_nothing_is_recorded_any_more(
    files: NodeFiles, tmp_path: Path
) -> None:
    files.move(None, None)
    for call, name in zip("ab", FOLDERS, strict=True):
        assert files.captures_of(call) == [tmp_path / "recordings" / name / f"{call}-1.pcap"]
    files.move(tmp_path / "recordings" / "old", None)
    assert files.recording_folders == (tmp_path / "recordings" / "old", tmp_path / "recordings" / "new")
