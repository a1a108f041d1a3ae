"""Files and store, two faces of one model: import what changed, export what is in force, watch a directory.

A directory is looked at every few seconds: names, sizes and times of change. That works on every file system, in
containers and over the network, where notifications do not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path, PurePosixPath

from voicegw.base.errors import LocalError
from voicegw.base.tasks import kept_task
from voicegw.storage.audit import AuditNote
from voicegw.storage.document_files import AGENT, DIALPLAN, Changes, DocumentKey, changes, key_of, path_of
from voicegw.storage.documents import DocumentRepository
from voicegw.storage.store import Store, Unit

log = logging.getLogger(__name__)

ORIGIN = "file"
WATCH_S = 2.0
_PAGE = 100
_Marks = dict[DocumentKey, tuple[int, int]]


async def take_in(unit: Unit, files: Mapping[DocumentKey, bytes], *, author: str, now_wall_ms: int) -> Changes:
    """Publish the files that somebody edited, and archive documents in force whose file is gone.

    A file that says what the store has as latest or published, or what was last taken from it, was not edited.
    """
    documents = unit.documents
    edited = {key: content for key, content in files.items() if await _is_edited(documents, key, content)}
    gone = tuple(key for key in await _in_force_from(documents, ORIGIN) if key not in files)
    for key, content in edited.items():
        await _save(documents, key, content, author, now_wall_ms, ORIGIN, publish=True)
    for key in gone:
        await documents.archive(key.kind, key.name, now_wall_ms=now_wall_ms)
    for key in (*edited, *gone):
        action = f"{key.kind}.{'publish' if key in edited else 'withdraw'}"
        await unit.audit.append(AuditNote(now_wall_ms, author, action, key.kind, key.name, actor_kind="node"))
    return Changes(edited, gone)


async def _is_edited(documents: DocumentRepository, key: DocumentKey, content: bytes) -> bool:
    document = await documents.find(key.kind, key.name)
    if document is None:
        return True
    taken = await documents.latest_of(key.kind, key.name, ORIGIN)
    numbers = {document.latest, *([document.published] if document.published else [])}
    known = [await documents.version(key.kind, key.name, number) for number in numbers]
    return all(one.content != content for one in (*known, *([taken] if taken else [])))


async def import_directory(
    store: Store, directory: Path, *, author: str, now_wall_ms: int, publish: bool, origin: str = ORIGIN
) -> Changes:
    """Save what differs from the latest versions as drafts, or publish it too; then what is gone is archived.

    Gone is what is in force, came from the same ``origin``, and has no file any more.
    Raises LocalError where a file cannot be read. Whether a document makes sense is the caller's to check first.
    """
    files = await asyncio.to_thread(read_directory, directory)
    async with store.write() as unit:
        documents = unit.documents
        found = changes(files, await _latest(documents), await _in_force_from(documents, origin))
        for key, content in found.changed.items():
            await _save(documents, key, content, author, now_wall_ms, origin, publish=publish)
        for key in found.gone if publish else ():
            await documents.archive(key.kind, key.name, now_wall_ms=now_wall_ms)
    return found


async def _save(
    documents: DocumentRepository,
    key: DocumentKey,
    content: bytes,
    author: str,
    now_wall_ms: int,
    origin: str,
    *,
    publish: bool,
) -> None:
    saved = await documents.save(key.kind, key.name, content, author=author, now_wall_ms=now_wall_ms, origin=origin)
    if publish:
        await documents.publish(key.kind, key.name, saved.version, author=author, now_wall_ms=now_wall_ms)


async def export_directory(store: Store, directory: Path) -> tuple[Path, ...]:
    """Write everything in force, byte by byte; files that are the same already are not touched.

    Returns what was written. Each file is replaced at once, so that no reader sees half of one.
    """
    async with store.read() as unit:
        contents = {
            DocumentKey(kind, name): version.content
            for kind in (AGENT, DIALPLAN)
            for name, version in (await unit.documents.published(kind)).items()
        }
    return await asyncio.to_thread(_write_directory, directory, contents)


def read_directory(directory: Path) -> dict[DocumentKey, bytes]:
    """The documents of a directory; raises LocalError."""
    try:
        return {key: (directory / path_of(key)).read_bytes() for key in directory_marks(directory)}
    except OSError as error:
        raise LocalError(f"{directory} cannot be read: {error}") from error


class DirectoryWatch:
    """Calls ``changed`` some seconds after files changed, once for many changes.

    ``marks`` says how the files are now: equal while nothing has changed.
    """

    def __init__(
        self, marks: Callable[[], object], changed: Callable[[], Awaitable[None]], every_s: float = WATCH_S
    ) -> None:
        self._marks = marks
        self._changed = changed
        self._every_s = every_s
        self._seen = marks()
        self._pending = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._task = kept_task(self._run, "directory-watch")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def look(self) -> bool:
        """Look once. An editor may still be writing: the change counts when a second look finds no other."""
        marks = await asyncio.to_thread(self._marks)
        if marks != self._seen:
            self._seen, self._pending = marks, True
            return False
        if not self._pending:
            return False
        self._pending = False
        await self._changed()
        return True

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.look()
            except LocalError as error:
                log.error("the changed files were not taken: %s", error)


async def _latest(documents: DocumentRepository) -> dict[DocumentKey, bytes]:
    found = {}
    for kind in (AGENT, DIALPLAN):
        after = ""
        while page := await documents.page(kind, after, _PAGE):
            for one in page:
                version = await documents.version(kind, one.name, one.latest)
                found[DocumentKey(kind, one.name)] = version.content
            after = page[-1].name
    return found


async def _in_force_from(documents: DocumentRepository, origin: str) -> list[DocumentKey]:
    return [
        DocumentKey(kind, name)
        for kind in (AGENT, DIALPLAN)
        for name, version in (await documents.published(kind)).items()
        if version.origin == origin
    ]


def directory_marks(directory: Path) -> _Marks:
    """Size and time of change of each document's file; one that goes away meanwhile is gone."""
    found: _Marks = {}
    for path in (*directory.glob("*.yaml"), *directory.glob("agents/*.yaml")):
        key = key_of(PurePosixPath(path.relative_to(directory).as_posix()))
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        if key is not None:
            found[key] = (status.st_size, status.st_mtime_ns)
    return found


def _write_directory(directory: Path, contents: dict[DocumentKey, bytes]) -> tuple[Path, ...]:
    written = []
    for key, content in contents.items():
        path = directory / path_of(key)
        if path.exists() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(content)
        part.replace(path)
        written.append(path)
    return tuple(written)
