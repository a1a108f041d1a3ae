"""``voicegw backup FILE`` and ``voicegw restore FILE DIR``: an installation in one archive, and back."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from voicegw import __version__
from voicegw.base.clock import SystemClock
from voicegw.config import SHIPPED_DIALPLANS, Config, load_config
from voicegw.storage.backup import Manifest, Source, restore_backup, verify_backup, write_backup

_MB = 1_000_000


def run(arguments: argparse.Namespace) -> int:
    """Do what ``action`` says."""
    match arguments.action:
        case "backup":
            return _backup(arguments)
        case _ if arguments.verify:
            _tell(arguments.file, verify_backup(arguments.file))
        case _:
            return _restore(arguments)
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    config, path = load_config(arguments.config), arguments.config
    base = path.resolve().parent if path is not None else Path.cwd()
    url = make_url(config.store.url)
    elsewhere = "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    sources = list(sources_of(config, path, recordings=arguments.recordings, keys=not arguments.without_keys))
    manifest = write_backup(
        arguments.file,
        base,
        sources,
        version=__version__,
        wall=SystemClock().wall(),
        database=elsewhere,
    )
    _tell(arguments.file, manifest)
    if elsewhere:
        print(f"the store is not in it. Back it up now, after the spool: pg_dump -Fc '{elsewhere}' > voicegw.dump")
    if not arguments.without_keys:
        print("it holds keys and passwords: keep it where nobody else can read it")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    manifest, written = restore_backup(arguments.file, arguments.directory)
    _tell(arguments.file, manifest)
    print(f"{len(written)} files are back; next: voicegw check -c {_configuration(manifest, arguments.directory)}")
    if manifest.database:
        print(f"the store is not in it: pg_restore it to {manifest.database} before the server starts")
    return 0


def _configuration(manifest: Manifest, directory: Path) -> Path:
    named = (one.path for one in manifest.members if one.role == "configuration")
    return directory / next(named, "voicegw.yaml")


def sources_of(config: Config, path: Path | None, *, recordings: bool, keys: bool) -> Iterator[Source]:
    """What an installation is made of, in the order in which it has to be read: the spool before the store."""
    paths, url = config.paths, make_url(config.store.url)
    yield Source("spool", Path(config.store.spool), passed_over=("lock",))
    if url.get_backend_name() == "sqlite" and url.database:
        yield Source("store", Path(url.database), is_database=True)
    yield Source("tools", Path(paths.tools), is_database=True)
    if path is not None:
        yield Source("configuration", path.resolve())
    for role, place in (("dialplan", paths.dialplan), ("agents", paths.agents), ("trunks", paths.trunks)):
        if not Path(place).is_relative_to(SHIPPED_DIALPLANS):
            yield Source(role, Path(place))
    for named in filter(None, (config.speech.lexicon, config.transfer.music)):
        yield Source("sounds", Path(named))
    for public in _certificates(config):
        yield Source("certificates", Path(public))
    if keys:
        for secret in _keys(config):
            yield Source("keys", Path(secret))
    if paths.calls:
        yield Source("calls", Path(paths.calls))
    if recordings and paths.recordings:
        yield Source("recordings", Path(paths.recordings))


def _certificates(config: Config) -> list[str]:
    sip, api = config.sip, config.api
    named = [sip.tls_client.ca, sip.tls_client.certificate, api.tls_cert, *config.recording.seal_to]
    for listener in sip.listeners:
        named += [listener.certificate, listener.client_ca]
    return list(dict.fromkeys(filter(None, named)))


def _keys(config: Config) -> list[str]:
    sip, api = config.sip, config.api
    named = [api.key_file, api.tls_key, sip.tls_client.key, *config.recording.unseal_with]
    named += [listener.key for listener in sip.listeners]
    return list(dict.fromkeys(filter(None, named)))


def _tell(file: Path, manifest: Manifest) -> None:
    count, size = len(manifest.members), sum(one.size for one in manifest.members)
    print(f"{file}: version {manifest.version}, {manifest.made_at}, {count} files, {size / _MB:.1f} MB")
    roles = dict.fromkeys(one.role for one in manifest.members)
    for role in roles:
        print(f"  {role}: {sum(one.role == role for one in manifest.members)}")
