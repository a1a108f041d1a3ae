"""Pulling models: whole and checked, or not there."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from tests.unit.inference.models.mirror import CONFIG, MODEL, WEIGHTS, Mirror, hub
from voicegw.base.errors import ConfigError, LocalError, ProviderError
from voicegw.inference.models.manifest import ModelFile
from voicegw.inference.models.sources import DirectorySource, HttpSource, make_source
from voicegw.inference.models.store import ATTEMPTS, ModelStore, State, part_of

URL = "https://mirror.test/"


def ignore(_file: ModelFile, _there: int) -> None:
    """No progress wanted."""


def pull(store: ModelStore, mirror: Mirror) -> int:
    source = HttpSource(URL, mirror)
    try:
        return store.pull(MODEL, source, ignore)
    finally:
        source.close()


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_a_pull_brings_all_files_and_a_second_one_none(store: ModelStore) -> None:
    assert store.state(MODEL) is State.MISSING
    assert pull(store, Mirror(hub())) == 2
    assert (store.folder / "tiny" / "model.bin").read_bytes() == WEIGHTS
    assert store.state(MODEL) is State.COMPLETE and store.faults(MODEL) == []
    again = Mirror(hub())
    assert pull(store, again) == 0
    assert again.requests == []


def test_a_broken_connection_is_taken_up_where_it_broke(store: ModelStore) -> None:
    mirror = Mirror(hub(), break_after=4096, breaks=2)
    assert pull(store, mirror) == 2
    path = f"/{MODEL.source}/model.bin"
    assert mirror.requests[:3] == [(path, ""), (path, "bytes=4096-"), (path, "bytes=8192-")]
    assert store.faults(MODEL) == []


def test_what_is_there_stays_when_the_mirror_dies_and_is_used_the_next_time(store: ModelStore) -> None:
    with pytest.raises(ProviderError, match=r"connection reset.*--from DIRECTORY"):
        pull(store, Mirror(hub(), break_after=1024, breaks=ATTEMPTS))
    assert store.state(MODEL) is State.PARTIAL
    part = part_of(store.folder / "tiny" / "model.bin")
    assert part.stat().st_size == ATTEMPTS * 1024
    later = Mirror(hub())
    assert pull(store, later) == 2
    assert later.requests[0][1] == f"bytes={ATTEMPTS * 1024}-"
    assert not part.exists()


def test_a_server_without_ranges_is_begun_anew(store: ModelStore) -> None:
    assert pull(store, Mirror(hub(), ranges=False, break_after=4096, breaks=1)) == 2
    assert store.faults(MODEL) == []


def test_wrong_content_never_gets_the_name(store: ModelStore) -> None:
    with pytest.raises(ProviderError, match=r"what came is not tiny.*wrong checksum") as caught:
        pull(store, Mirror(hub(modelbin=b"\0" * len(WEIGHTS))))
    assert not caught.value.retryable
    assert not list((store.folder / "tiny").iterdir())


@pytest.mark.parametrize("content", [WEIGHTS + b"more", WEIGHTS[:-1]], ids=["longer", "shorter"])
def test_a_file_of_another_length_is_an_error(store: ModelStore, content: bytes) -> None:
    with pytest.raises(ProviderError):
        pull(store, Mirror(hub(modelbin=content)))
    assert not (store.folder / "tiny" / "model.bin").exists()


def test_a_part_that_is_too_long_is_begun_anew(store: ModelStore) -> None:
    part = part_of(store.folder / "tiny" / "model.bin")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\0" * (len(WEIGHTS) + 1))
    assert pull(store, Mirror(hub())) == 2


def test_a_damaged_file_is_found_and_replaced(store: ModelStore) -> None:
    pull(store, Mirror(hub()))
    path = store.folder / "tiny" / "model.bin"
    path.write_bytes(b"\1" + WEIGHTS[1:])
    assert store.faults(MODEL) == [f"{path} has the wrong checksum"]
    assert pull(store, Mirror(hub())) == 1
    assert store.faults(MODEL) == []


def test_a_mirror_may_have_the_layout_of_a_folder_of_models(store: ModelStore) -> None:
    assert pull(store, Mirror({"tiny/model.bin": WEIGHTS, "tiny/config.json": CONFIG})) == 2


@pytest.mark.parametrize("folder", [MODEL.source, MODEL.folder])
def test_a_directory_is_a_mirror(store: ModelStore, tmp_path: Path, folder: str) -> None:
    carried = tmp_path / "usb" / folder
    carried.mkdir(parents=True)
    (carried / "model.bin").write_bytes(WEIGHTS)
    source = DirectorySource(tmp_path / "usb")
    with pytest.raises(ProviderError, match=r"has neither .*config\.json"):
        store.pull(MODEL, source, ignore)
    (carried / "config.json").write_bytes(CONFIG)
    assert store.pull(MODEL, source, ignore) == 1


def test_a_file_that_is_nowhere_on_the_mirror(store: ModelStore) -> None:
    with pytest.raises(ProviderError, match="HTTP 404"):
        pull(store, Mirror({}))


def test_two_pulls_of_one_file_do_not_mix(store: ModelStore) -> None:
    part = part_of(store.folder / "tiny" / "model.bin")
    part.parent.mkdir(parents=True)
    with part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LocalError, match="another pull"):
            pull(store, Mirror(hub()))


def test_a_full_disk_is_noticed_before(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10, 10, 100))
    mirror = Mirror(hub())
    with pytest.raises(LocalError, match="MB left"):
        pull(store, mirror)
    assert mirror.requests == []


def test_progress_is_reported(store: ModelStore) -> None:
    seen: list[tuple[str, int]] = []
    source = HttpSource(URL, Mirror(hub()))
    store.pull(MODEL, source, lambda file, there: seen.append((file.name, there)))
    source.close()
    assert seen[-1] == ("config.json", len(CONFIG))
    assert ("model.bin", len(WEIGHTS)) in seen


def test_without_a_mirror_nothing_is_fetched() -> None:
    with pytest.raises(ConfigError, match="nothing is fetched from anywhere else"):
        make_source("")
    with pytest.raises(LocalError, match="no directory"):
        make_source(os.devnull)
