"""Trunks of a node as files and as rows of the store: two faces of one model.

The rules are those of agents and dialplans (:mod:`voicegw.server_documents`): an edited file changes the trunk in
the store at the next start or SIGHUP, and what the store has is in force. A file is edited when it is not what was
last taken from it, so that one which was left alone never undoes a change by the API. What was taken is kept as
the published version of a document of its own kind. Passwords are in no file: a row keeps its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from voicegw.api.key_file import read_key
from voicegw.api.vault import Vault, trunk_context
from voicegw.base.clock import Clock
from voicegw.base.errors import ConfigError, LocalError
from voicegw.dialplan.checked import read_text
from voicegw.dialplan.yaml_lines import ConfigProblems
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.gateway.trunk_files import env_password, parse_trunk, settings_of
from voicegw.gateway.trunk_settings import TrunkFile, TrunkSettings
from voicegw.storage.admin import Trunk as Row
from voicegw.storage.config import FileSync, StoreConfig
from voicegw.storage.errors import Refused, StoreUnavailable
from voicegw.storage.store import Store, Unit

log = logging.getLogger(__name__)

TAKEN = "trunk-file"
"""Kind of the documents that remember what was last taken from each file."""
AUTHOR = "files"
_AGAIN_S = 0.5
_PAGE = 200


@dataclass(frozen=True, slots=True)
class FileOfTrunk:
    """A file and what it says."""

    path: Path
    text: str
    parsed: TrunkFile


def read_trunk_files(directory: Path) -> dict[str, FileOfTrunk]:
    """The files of a directory by the name of their trunk; raises ConfigProblems with all that is wrong in any."""
    problems: list[ConfigError] = []
    found: dict[str, FileOfTrunk] = {}
    for path in sorted(directory.glob("*.yaml")):
        try:
            text = read_text(path)
            file = FileOfTrunk(path, text, parse_trunk(text, str(path)))
            if file.parsed.name in found:
                other = found[file.parsed.name].path.name
                raise ConfigError(f"{other} has a trunk '{file.parsed.name}' too", file=str(path), fix="rename one")
            found[file.parsed.name] = file
        except ConfigProblems as error:
            problems += error.problems
        except ConfigError as error:
            problems.append(error)
    if problems:
        raise ConfigProblems(problems)
    return found


class TrunkFaces:
    """Brings files, store and the running desk together. Belongs to the runtime's loop.

    While the store is away the node goes on with the trunks that it has, at first with those of its files.
    """

    def __init__(
        self,
        directory: Path,
        store: StoreConfig,
        key_file: Path,
        desk: TrunkDesk,
        clock: Clock,
        environ: Mapping[str, str],
        *,
        uses_store: bool,
    ) -> None:
        self._directory = directory
        self._config = store
        self._key_file = key_file
        self._desk = desk
        self._clock = clock
        self._environ = environ
        self._uses_store = uses_store
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._order = asyncio.Lock()
        """Of two readings of the store the later one counts."""

    def take_files(self) -> None:
        """Put the trunks of the files in force, without asking a store; raises ConfigError for what cannot be."""
        self._desk.put_in_force(self._of_file(file) for file in read_trunk_files(self._directory).values())

    def use(self, directory: Path, store: StoreConfig, *, uses_store: bool) -> None:
        """Other files, and other rules of files and store, from the next time on that either is looked at."""
        self._directory, self._config, self._uses_store = directory, store, uses_store

    def start(self) -> None:
        """Take in what was edited while the node was down, then what the store has; in the background."""
        if self._uses_store:
            self._begin()

    def reload(self) -> None:
        """The same again; on any error in the files everything stays as it was."""
        if self._uses_store:
            self._begin()
            return
        try:
            self.take_files()
        except ConfigError as error:
            log.error("reload refused, the running trunks stay: %s", error)

    async def changed(self) -> None:
        """The API has changed a trunk in the store: what is there now is in force."""
        async with self._order:
            store = Store(self._config)
            try:
                async with store.read() as unit:
                    rows = await rows_of_trunks(unit)
            finally:
                await store.close()
            self._put_in_force(rows)
            if self._config.files is FileSync.MIRROR:
                self._mirror(rows)

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # ---------------------------------------------------------------- files into the store

    def _begin(self) -> None:
        task = asyncio.create_task(self._take(), name="trunks")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self) -> None:
        """Until the store has answered, however long that takes."""
        is_away = False
        async with self._turn:
            while self._uses_store:
                try:
                    await self._take_once()
                    return
                except ConfigError as error:
                    log.error("reload refused, the running trunks stay: %s", error)
                    return
                except (StoreUnavailable, Refused) as error:  # refused: another node was faster with the same
                    if not is_away:
                        log.warning("the files of trunks wait for the store: %s", error)
                    is_away = True
                await asyncio.sleep(_AGAIN_S)

    async def _take_once(self) -> None:
        files = read_trunk_files(self._directory)
        async with self._order:
            store = Store(self._config)
            try:
                await store.start()
                async with store.write() as unit:
                    await self._take_in(unit, files)
                    rows = await rows_of_trunks(unit)
            finally:
                await store.close()
            self._put_in_force(rows)

    async def _take_in(self, unit: Unit, files: Mapping[str, FileOfTrunk]) -> None:
        """Files that were edited become rows; rows whose file is gone go, unless the API has changed them since."""
        rows = {row.name: row for row in await rows_of_trunks(unit)}
        if self._config.files is FileSync.OFF and rows:
            return
        taken = {name: one.content for name, one in (await unit.documents.published(TAKEN)).items()}
        now = round(self._clock.wall() * 1000)
        for name, file in files.items():
            if taken.get(name) != file.text.encode():
                await _store_file(unit, rows.get(name), file, now)
                log.info("a trunk's file was taken into the store", extra={"trunk": name})
        for name in taken.keys() - files.keys():
            row = rows.get(name)
            if row is not None and _is_as_taken(row, taken[name].decode()):
                await unit.trunks.delete(row.id)
            await unit.documents.archive(TAKEN, name, now_wall_ms=now)

    # ---------------------------------------------------------------- the store into force

    def _put_in_force(self, rows: list[Row]) -> None:
        self._desk.put_in_force(self._of_row(row) for row in rows)
        log.info("trunks are in force", extra={"trunks": len(rows)})

    def _of_file(self, file: FileOfTrunk) -> Trunk:
        settings, parsed = settings_of(file.parsed), file.parsed
        return Trunk(parsed.name, settings, self._password(parsed.name, settings), enabled=parsed.enabled)

    def _of_row(self, row: Row) -> Trunk:
        settings = TrunkSettings.model_validate_json(row.settings_json)
        password = self._password(row.name, settings)
        if not settings.password_env and row.secret_sealed is not None:
            try:
                password = Vault(read_key(self._key_file)).open(row.secret_sealed, trunk_context(row.id))
            except (LocalError, ConfigError) as error:
                log.error("trunk %s has no password: %s", row.name, error)
        return Trunk(row.name, settings, password, enabled=row.enabled)

    def _password(self, name: str, settings: TrunkSettings) -> str:
        """A trunk whose variable is not set takes calls all the same; it cannot answer challenges."""
        try:
            return env_password(settings, self._environ, f"trunk {name}")
        except ConfigError as error:
            log.error("%s", error)
            return ""

    def _mirror(self, rows: list[Row]) -> None:
        """The files follow the store; comments in them are lost where something was changed."""
        try:
            known = read_trunk_files(self._directory)
            for row in rows:
                file = known.pop(row.name, None)
                if file is None or not _is_as_taken(row, file.text):
                    path = file.path if file else self._directory / f"{row.name}.yaml"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(write_trunk(row), encoding="utf-8")
            for gone in known.values():
                gone.path.unlink()
        except (OSError, ConfigError) as error:
            log.error("the files of trunks do not follow the store: %s", error)


def write_trunk(row: Row) -> str:
    """A trunk of the store as a file, without what is as it is anyway."""
    settings = TrunkSettings.model_validate_json(row.settings_json)
    data = {"name": row.name, **({} if row.enabled else {"enabled": False})}
    data |= settings.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


async def rows_of_trunks(unit: Unit) -> list[Row]:
    """All trunks of the store, by name."""
    rows: list[Row] = []
    after: tuple[str, str] | None = None
    while page := await unit.trunks.page(after, _PAGE):
        rows += page
        after = (page[-1].name, page[-1].id)
    return rows


async def _store_file(unit: Unit, row: Row | None, file: FileOfTrunk, now: int) -> None:
    name, settings = file.parsed.name, settings_of(file.parsed).model_dump_json()
    if row is None:
        id = "t_" + hashlib.sha256(f"trunk {name}".encode()).hexdigest()[:12]
        await unit.trunks.add(Row(id, name, settings, now, now, enabled=file.parsed.enabled))
    else:
        changed = replace(row, settings_json=settings, enabled=file.parsed.enabled, changed_wall_ms=now)
        await unit.trunks.put(changed)
    saved = await unit.documents.save(
        TAKEN, name, file.text.encode(), author=AUTHOR, now_wall_ms=now, origin="file"
    )
    await unit.documents.publish(TAKEN, name, saved.version, author=AUTHOR, now_wall_ms=now)


def _is_as_taken(row: Row, text: str) -> bool:
    """Whether a row says what its file says."""
    try:
        parsed = parse_trunk(text, row.name)
    except ConfigError:
        return False
    same = settings_of(parsed) == TrunkSettings.model_validate_json(row.settings_json)
    return same and parsed.enabled == row.enabled
