"""``voicegw backup FILE`` and ``voicegw restore FILE DIR``: an installation in one archive, and back."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, make_url

from voicegw import __version__
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError
from voicegw.config import SHIPPED_DIALPLANS, Config, load_config
from voicegw.dialplan.checked import read_text
from voicegw.gateway.trunk_files import parse_trunk
from voicegw.gateway.trunk_settings import TrunkFile
from voicegw.storage.backup import Manifest, Source, restore_backup, verify_backup, write_backup

_MB = 1_000_000
_DUMP = "voicegw.dump"


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
    elsewhere = _server_of(make_url(config.store.url))
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
        print("the store is not in it. Now, because the spool comes first:")
        print(f"pg_dump -Fc -f {_DUMP} {shlex.quote(elsewhere)}")
    if not arguments.without_keys:
        print("it holds keys and passwords: keep it where nobody else can read it")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    manifest, written = restore_backup(arguments.file, arguments.directory)
    _tell(arguments.file, manifest)
    if os.geteuid() == 0:
        print("they belong to root: give them to the user of the server (chown -R), or it cannot read them")
    print(f"{len(written)} files are back; next: voicegw check -c {_configuration(manifest, arguments.directory)}")
    if manifest.database:
        print("the store is not in it. Before a server starts, into an empty database:")
        print(f"pg_restore --single-transaction --no-owner -d {shlex.quote(manifest.database)} {_DUMP}")
    return 0


def _server_of(url: URL) -> str:
    """Where the store is if it is no file; without the password, which PGPASSWORD or ~/.pgpass give to libpq."""
    if url.get_backend_name() == "sqlite":
        return ""
    open_to_read = URL.create(
        url.drivername, url.username, host=url.host, port=url.port, database=url.database, query=url.query
    )
    return open_to_read.render_as_string()


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
    public, secret = _tls_files(config)
    for file in public:
        yield Source("certificates", Path(file))
    if keys:
        for file in secret:
            yield Source("keys", Path(file))
    if paths.calls:
        yield Source("calls", Path(paths.calls))
    if recordings and paths.recordings:
        yield Source("recordings", Path(paths.recordings))


def _tls_files(config: Config) -> tuple[list[str], list[str]]:
    """Certificates and lists of them, and what is secret: keys, and files that have certificate and key in one."""
    sip, api, identity, hep = config.sip, config.api, config.sip.identity, config.observability.hep.tls
    public = [sip.tls_client.ca, hep.ca, identity.ca, *identity.trust_anchors, *identity.revoked]
    public += [listener.client_ca for listener in sip.listeners]
    public += config.recording.seal_to
    secret = [api.key_file, *config.recording.unseal_with]
    pairs = [
        (api.tls_cert, api.tls_key),
        (sip.tls_client.certificate, sip.tls_client.key),
        (hep.certificate, hep.key),
    ]
    pairs += [(listener.certificate, listener.key) for listener in sip.listeners]
    for trunk in _trunk_files(Path(config.paths.trunks)):
        public.append(trunk.tls.ca)
        pairs.append((trunk.tls.certificate, trunk.tls.key))
    for certificate, key in pairs:
        (public if key else secret).append(certificate)
        secret.append(key)
    return list(dict.fromkeys(filter(None, public))), list(dict.fromkeys(filter(None, secret)))


def _trunk_files(directory: Path) -> Iterator[TrunkFile]:
    """Those that can be read: a backup is made of what is there, however it is."""
    for path in sorted(directory.glob("*.yaml")):
        try:
            yield parse_trunk(read_text(path), str(path))
        except ConfigError as error:
            print(
                f"{path} cannot be read, and certificates that it names are not in the backup: {error}",
                file=sys.stderr,
            )


def _tell(file: Path, manifest: Manifest) -> None:
    count, size = len(manifest.members), sum(one.size for one in manifest.members)
    print(f"{file}: version {manifest.version}, {manifest.made_at}, {count} files, {size / _MB:.1f} MB")
    roles = dict.fromkeys(one.role for one in manifest.members)
    for role in roles:
        print(f"  {role}: {sum(one.role == role for one in manifest.members)}")
