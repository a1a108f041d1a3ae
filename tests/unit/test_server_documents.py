"""The files of a node: read as documents, and made to say what is in force."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from voicegw.api.installation import Documents
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError
from voicegw.server_documents import DIALPLAN_NAME, DocumentFaces, NodeDocuments, NodeInstaller
from voicegw.storage.config import FileSync, StoreConfig


@pytest.fixture
def files(tmp_path: Path) -> NodeDocuments:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "first.yaml").write_text("name: reception\n")
    (tmp_path / "dialplan.yaml").write_text("routes: []\n")
    return NodeDocuments(tmp_path / "agents", tmp_path / "dialplan.yaml")


def test_agents_are_known_by_the_names_they_give_themselves(files: NodeDocuments) -> None:
    assert files.read() == Documents({"reception": "name: reception\n"}, {DIALPLAN_NAME: "routes: []\n"})


def test_files_follow_and_keep_their_places(files: NodeDocuments) -> None:
    before = files.marks()
    files.write(files.read())
    assert files.marks() == before
    wanted = Documents(
        {"reception": "name: reception  # newer\n", "b": "name: b\n"}, {DIALPLAN_NAME: "routes: [1]\n"}
    )
    files.write(wanted)
    assert files.read() == wanted
    assert sorted(path.name for path in files.agents.iterdir()) == ["b.yaml", "first.yaml"]
    files.write(Documents({"b": "name: b\n"}, wanted.dialplans))
    assert [path.name for path in files.agents.iterdir()] == ["b.yaml"]


def test_a_file_that_is_gone_is_told(files: NodeDocuments) -> None:
    files.dialplan.unlink()
    assert files.dialplan not in files.marks()
    with pytest.raises(ConfigError, match="dialplan"):
        files.read()


def test_files_are_looked_at_as_often_as_is_wished_at_the_moment(files: NodeDocuments, tmp_path: Path) -> None:
    config = StoreConfig(url=f"sqlite:///{tmp_path / 'store'}")

    async def story() -> None:
        installer = NodeInstaller(None, None, files, lambda: None)  # type: ignore[arg-type]
        faces = DocumentFaces(config, files, installer, None, SystemClock())  # type: ignore[arg-type]
        taken = asyncio.Event()
        faces.reload = taken.set  # type: ignore[method-assign]
        faces.start = lambda: None  # type: ignore[method-assign]
        often = replace(config, watch_s=0.01)
        faces.use(often, uses_store=True)
        first = faces._watch
        files.write(Documents({"reception": "name: reception  # newer\n"}, {DIALPLAN_NAME: "routes: []\n"}))
        async with asyncio.timeout(20):
            await taken.wait()
        faces.use(often, uses_store=True)
        assert faces._watch is first, "nothing has changed"
        faces.use(replace(often, files=FileSync.OFF), uses_store=True)
        assert faces._watch is None and first is not None and first._task is not None
        await asyncio.gather(*faces._tasks)
        assert first._task.cancelled()
        await faces.close()

    asyncio.run(story())
    off = DocumentFaces(replace(config, files=FileSync.OFF, watch_s=5.0), files, None, None, SystemClock())  # type: ignore[arg-type]
    assert off._watch is None
