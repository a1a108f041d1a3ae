"""Agents and dialplan of a node as files and as documents in the store: two faces of one model.

An edited file becomes a version in the store at the next start or SIGHUP, and what is published in the store is
what the node runs. A file counts as edited when it is neither what the store has as the latest or published version
nor what was last taken from that file: a file that was left alone never undoes a publication.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicegw.api.in_force import in_force
from voicegw.api.installation import AGENT, DIALPLAN, Documents, check_all
from voicegw.base.clock import Clock
from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import read_text
from voicegw.dialplan.yaml_lines import parse_yaml
from voicegw.runtime.dialplan_store import DialplanStore, Installation
from voicegw.storage.config import FileSync, StoreConfig
from voicegw.storage.document_files import DocumentKey
from voicegw.storage.document_sync import DirectoryWatch, take_in
from voicegw.storage.errors import Refused, StoreUnavailable
from voicegw.storage.store import Store, Unit

log = logging.getLogger(__name__)

DIALPLAN_NAME = "dialplan"
"""The document that routes calls; others are kept, but asked by nobody."""
AUTHOR = "files"
_AGAIN_S = 0.5

Load = Callable[[Path, Path], Installation]
"""Builds an installation from a directory of agents and a dialplan file; raises ConfigError."""


@dataclass(slots=True)
class NodeDocuments:
    """The files of a node: a directory of agents, and a dialplan. Others may be put in their place."""

    agents: Path
    dialplan: Path

    def read(self) -> Documents:
        """The files as documents, agents by the names that they give themselves; raises ConfigError."""
        texts = {name: read_text(path) for name, path in self._by_name().items()}
        return Documents(texts, {DIALPLAN_NAME: read_text(self.dialplan)})

    def write(self, documents: Documents) -> None:
        """Make the files say what is in force; those that do already are not touched. Raises OSError."""
        paths = self._by_name()
        for name, text in documents.agents.items():
            _write(paths.pop(name, self.agents / f"{name}.yaml"), text)
        for gone in paths.values():
            gone.unlink()
        _write(self.dialplan, documents.dialplans[DIALPLAN_NAME])

    def marks(self) -> Mapping[Path, tuple[int, int]]:
        """Size and time of change of each file."""
        found = {}
        for path in (self.dialplan, *self.agents.glob("*.yaml")):
            with suppress(FileNotFoundError):
                status = path.stat()
                found[path] = (status.st_size, status.st_mtime_ns)
        return found

    def _by_name(self) -> dict[str, Path]:
        return {_name(path): path for path in sorted(self.agents.glob("*.yaml"))}


class NodeInstaller:
    """A :class:`~voicegw.api.installation.Installer`: writes documents as files and loads them as files are loaded.

    So one loader decides what works, and lexicons beside the agents are found. Calls keep what they began with.
    """

    def __init__(
        self,
        store: DialplanStore,
        load: Load,
        files: NodeDocuments,
        prepared: Callable[[], None],
        *,
        mirror: bool = False,
    ) -> None:
        """``prepared``: makes models for what is new, in the background. ``mirror``: the files follow."""
        self._store = store
        self._load = load
        self._files = files
        self._prepared = prepared
        self.mirror = mirror
        """May be changed, for what is put in force from then on."""

    async def rehearse(self, documents: Documents) -> None:
        """See :class:`~voicegw.api.installation.Installer`."""
        self.build(documents)

    async def install(self, documents: Documents) -> None:
        """See :class:`~voicegw.api.installation.Installer`."""
        self.put_in_force(self.build(documents), documents)

    def put_in_force(self, installation: Installation, documents: Documents) -> None:
        """For calls that begin from now on."""
        self._store.current = installation
        self._prepared()
        if self.mirror:
            try:
                self._files.write(documents)
            except OSError as error:
                log.error("the files do not follow the store: %s", error)

    def build(self, documents: Documents) -> Installation:
        """The installation that these documents make; raises ConfigError."""
        if DIALPLAN_NAME not in documents.dialplans:
            raise ConfigError(f"no dialplan named '{DIALPLAN_NAME}' is published", fix="publish one of that name")
        with tempfile.TemporaryDirectory(prefix="voicegw-") as work:
            agents = Path(work) / "agents"
            shutil.copytree(self._files.agents, agents, ignore=shutil.ignore_patterns("*.yaml"))
            for name, text in documents.agents.items():
                (agents / f"{name}.yaml").write_text(text, encoding="utf-8")
            dialplan = Path(work) / f"{DIALPLAN_NAME}.yaml"
            dialplan.write_text(documents.dialplans[DIALPLAN_NAME], encoding="utf-8")
            return self._load(agents, dialplan)


class DocumentFaces:
    """Brings files and store together: at the start, at SIGHUP, and when files change where that is watched.

    Belongs to the runtime's loop. While the store is away the node goes on with what it has. Without ``uses_store``
    nothing is done here: the files are read by the :class:`~voicegw.runtime.dialplan_store.DialplanStore`.
    """

    def __init__(
        self,
        config: StoreConfig,
        files: NodeDocuments,
        installer: NodeInstaller,
        load: Load,
        clock: Clock,
        *,
        uses_store: bool = True,
    ) -> None:
        self._config = config
        self._uses_store = uses_store
        self._has_tables = False
        self._files = files
        self._installer = installer
        self._load = load
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._watched_s = _watched_s(config)
        self._watch = self._watching(self._watched_s)
        self._turn = asyncio.Lock()

    def start(self) -> None:
        """Take in what was edited while the node was down, then what is published; in the background."""
        if self._uses_store:
            self._begin(self._take(first=True))
        if self._watch is not None:
            self._watch.start()

    def use(self, config: StoreConfig, *, uses_store: bool) -> None:
        """Other rules of files and store, from the next time on that either is looked at."""
        self._config, self._uses_store = config, uses_store
        self._installer.mirror = config.files is FileSync.MIRROR
        every_s = _watched_s(config)
        if every_s == self._watched_s:
            return
        self._watched_s = every_s
        if self._watch is not None:
            self._begin(self._watch.close())
        self._watch = self._watching(every_s)
        if self._watch is not None:
            self._watch.start()

    def _watching(self, every_s: float) -> DirectoryWatch | None:
        return DirectoryWatch(self._files.marks, self._changed, every_s) if every_s else None

    def reload(self) -> None:
        """The same again; on any error in the files everything stays as it was."""
        if self._uses_store:
            self._begin(self._take(first=False))

    async def close(self) -> None:
        """Stop."""
        if self._watch is not None:
            await self._watch.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="documents")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _changed(self) -> None:
        self.reload()

    async def _take(self, *, first: bool) -> None:
        """Until the store has answered, however long that takes."""
        is_away = False
        async with self._turn:
            while self._uses_store:
                try:
                    await self._take_once(first=first)
                    return
                except ConfigError as error:
                    log.error("reload refused, the running configuration stays: %s", error)
                    return
                except (StoreUnavailable, Refused) as error:  # refused: another node was faster with the same
                    if not is_away:
                        log.warning("the files wait for the store: %s", error)
                    is_away = True
                await asyncio.sleep(_AGAIN_S)

    async def _take_once(self, *, first: bool) -> None:
        """Raises ConfigError for what does not work; then nothing is stored and nothing changes.

        The ``first`` time the files are in force already, and there may be no tables yet.
        """
        from_files = self._load(self._files.agents, self._files.dialplan)
        texts = self._files.read()
        store = Store(self._config)
        try:
            if not self._has_tables:
                await store.start()
                self._has_tables = True
            async with store.write() as unit:
                await self._take_in(unit, texts)
                documents = await in_force(unit)
                if documents == texts and first:
                    return
                if documents == texts:
                    self._installer.put_in_force(from_files, texts)
                else:
                    check_all(documents)
                    self._installer.put_in_force(self._installer.build(documents), documents)
        finally:
            await store.close()
        log.info("dialplan reloaded", extra={"agents": len(documents.agents)})

    async def _take_in(self, unit: Unit, texts: Documents) -> None:
        documents = await in_force(unit)
        if self._config.files is FileSync.OFF and (documents.agents or documents.dialplans):
            return
        files = {DocumentKey(AGENT, name): text.encode() for name, text in texts.agents.items()}
        files |= {DocumentKey(DIALPLAN, name): text.encode() for name, text in texts.dialplans.items()}
        found = await take_in(unit, files, author=AUTHOR, now_wall_ms=round(self._clock.wall() * 1000))
        if found.changed or found.gone:
            counts = {"changed": len(found.changed), "gone": len(found.gone)}
            log.info("files were taken into the store", extra=counts)


def _watched_s(config: StoreConfig) -> float:
    """How often files are looked at; 0: only when told to."""
    return 0.0 if config.files is FileSync.OFF else config.watch_s


def _write(path: Path, text: str) -> None:
    """Replace a file at once, so that nobody reads half of one."""
    content = text.encode()
    if path.exists() and path.read_bytes() == content:
        return
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _name(path: Path) -> str:
    data = parse_yaml(read_text(path), str(path)).data
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) else path.stem
