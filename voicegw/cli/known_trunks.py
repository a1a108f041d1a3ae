"""The trunks that a server with this configuration has: of its files, and of the store where it keeps one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from voicegw.api.key_file import read_key
from voicegw.api.vault import Vault, trunk_context
from voicegw.base.errors import ConfigError, LocalError
from voicegw.config import Config
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_files import settings_of
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.server_trunks import TAKEN, FileOfTrunk, read_trunk_files, rows_of_trunks
from voicegw.storage.admin import Trunk as Row
from voicegw.storage.errors import StoreUnavailable
from voicegw.storage.store import Store


async def known_trunks(config: Config, environ: Mapping[str, str]) -> list[Trunk]:
    """By name. A file that was edited since the server took it in is ahead of the store: it is in force next.

    A trunk whose password cannot be had has none. Raises ConfigError for files that are wrong.
    """
    files = read_trunk_files(Path(config.paths.trunks))
    rows, taken = await _stored(config)
    found = {name: _of_row(row, config, environ) for name, row in rows.items()}
    for name, file in files.items():
        if name not in rows or taken.get(name) != file.text.encode():
            found[name] = _of_file(file, rows.get(name), config, environ)
    return [found[name] for name in sorted(found)]


async def _stored(config: Config) -> tuple[dict[str, Row], dict[str, bytes]]:
    """The rows of the store, and the files as they were taken in; nothing where there is no store."""
    store = Store(config.store)
    file = store.database.url.database
    try:
        if store.database.is_sqlite and not await asyncio.to_thread(Path(file or "").is_file):
            return {}, {}
        async with store.read() as unit:
            rows = await rows_of_trunks(unit)
            taken = await unit.documents.published(TAKEN)
        return {row.name: row for row in rows}, {name: one.content for name, one in taken.items()}
    except StoreUnavailable:
        return {}, {}
    finally:
        await store.close()


def _of_file(file: FileOfTrunk, row: Row | None, config: Config, environ: Mapping[str, str]) -> Trunk:
    settings = settings_of(file.parsed)
    password = _password(settings, row, config, environ)
    return Trunk(file.parsed.name, settings, password, enabled=file.parsed.enabled)


def _of_row(row: Row, config: Config, environ: Mapping[str, str]) -> Trunk:
    settings = TrunkSettings.model_validate_json(row.settings_json)
    return Trunk(row.name, settings, _password(settings, row, config, environ), enabled=row.enabled)


def _password(settings: TrunkSettings, row: Row | None, config: Config, environ: Mapping[str, str]) -> str:
    if settings.password_env:
        return environ.get(settings.password_env, "")
    if row is None or row.secret_sealed is None:
        return ""
    try:
        return Vault(read_key(Path(config.api.key_file))).open(row.secret_sealed, trunk_context(row.id))
    except (LocalError, ConfigError):
        return ""
