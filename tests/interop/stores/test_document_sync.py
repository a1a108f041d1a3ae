"""Files into the store and out again, byte by byte, and the watch over a directory."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from tests.interop.stores.test_repositories import run
from voicegw.config import SHIPPED_DIALPLANS
from voicegw.storage.config import StoreConfig
from voicegw.storage.document_files import AGENT, DIALPLAN, DocumentKey
from voicegw.storage.document_sync import (
    DirectoryWatch,
    directory_marks,
    export_directory,
    import_directory,
    read_directory,
    take_in,
)
from voicegw.storage.documents import VersionState
from voicegw.storage.store import Store


async def taken(store: Store, directory: Path, *, publish: bool = True) -> tuple[set[str], set[str]]:
    found = await import_directory(store, directory, author="ann", now_wall_ms=5, publish=publish)
    return {key.name for key in found.changed}, {key.name for key in found.gone}


def test_the_shipped_files_go_in_and_come_out_byte_by_byte(config: StoreConfig, tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        changed, _gone = await taken(store, SHIPPED_DIALPLANS)
        assert {"dialplan", "reception"} <= changed
        assert await taken(store, SHIPPED_DIALPLANS) == (set(), set())
        written = await export_directory(store, tmp_path)
        assert len(written) == len(changed)
        assert read_directory(tmp_path) == read_directory(SHIPPED_DIALPLANS)
        assert await export_directory(store, tmp_path) == ()

    run(config, body)


def test_drafts_wait_and_files_that_are_gone_are_archived(config: StoreConfig, tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        (tmp_path / "agents").mkdir()
        for name in ("a", "b"):
            (tmp_path / "agents" / f"{name}.yaml").write_text(f"name: {name}\n")
        assert await taken(store, tmp_path) == ({"a", "b"}, set())
        (tmp_path / "agents" / "a.yaml").write_text("name: a  # newer\n")
        (tmp_path / "agents" / "b.yaml").unlink()
        assert await taken(store, tmp_path, publish=False) == ({"a"}, {"b"})
        async with store.read() as unit:
            assert set(await unit.documents.published(AGENT)) == {"a", "b"}
            states = [one.state for one in await unit.documents.versions(AGENT, "a")]
            assert states == [VersionState.DRAFT, VersionState.PUBLISHED]
        assert await taken(store, tmp_path) == (set(), {"b"})
        async with store.read() as unit:
            assert set(await unit.documents.published(AGENT)) == {"a"}

    run(config, body)


def test_a_watch_imports_once_when_the_files_have_come_to_rest(config: StoreConfig, tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        async def changed() -> None:
            await taken(store, tmp_path)

        watch = DirectoryWatch(partial(directory_marks, tmp_path), changed)
        assert not await watch.look()
        file = tmp_path / "dialplan.yaml"
        file.write_text("routes: []\n")
        assert not await watch.look()
        os.utime(file, ns=(1, 1))
        assert not await watch.look()
        assert await watch.look()
        assert not await watch.look()
        async with store.read() as unit:
            assert set(await unit.documents.published(DIALPLAN)) == {"dialplan"}
        assert set(read_directory(tmp_path)) == {DocumentKey(DIALPLAN, "dialplan")}

    run(config, body)


def test_a_file_that_was_left_alone_never_undoes_a_publication(config: StoreConfig) -> None:
    key = DocumentKey(AGENT, "a")

    async def taken_in(store: Store, content: bytes) -> bool:
        async with store.write() as unit:
            return key in (await take_in(unit, {key: content}, author="files", now_wall_ms=7)).changed

    async def body(store: Store) -> None:
        assert await taken_in(store, b"one")
        async with store.write() as unit:
            by_hand = await unit.documents.save(AGENT, "a", b"two", author="ann", now_wall_ms=8)
            await unit.documents.publish(AGENT, "a", by_hand.version, author="ann", now_wall_ms=8)
        assert not await taken_in(store, b"one")
        assert not await taken_in(store, b"two")
        assert await taken_in(store, b"three")
        assert await taken_in(store, b"one")  # an edit back is an edit
        async with store.read() as unit:
            assert (await unit.documents.published(AGENT))["a"].content == b"one"
            assert [row.note.action for row in await unit.audit.page()] == ["agent.publish"] * 3

    run(config, body)


def test_what_was_published_by_hand_outlives_its_file(config: StoreConfig) -> None:
    files = {DocumentKey(AGENT, "a"): b"a", DocumentKey(AGENT, "b"): b"b"}

    async def body(store: Store) -> None:
        async with store.write() as unit:
            await take_in(unit, files, author="files", now_wall_ms=7)
            newer = await unit.documents.save(AGENT, "b", b"newer", author="ann", now_wall_ms=8)
            await unit.documents.publish(AGENT, "b", newer.version, author="ann", now_wall_ms=8)
            found = await take_in(unit, {}, author="files", now_wall_ms=9)
            assert [key.name for key in found.gone] == ["a"]
            assert set(await unit.documents.published(AGENT)) == {"b"}

    run(config, body)
