"""A backup: one archive of everything that an installation is, taken while it runs, and back into an empty place.

What is acknowledged is in the spool until the database has it. So the spool is read first and the databases after
it: a fact that leaves the spool in between is in the database by then, and one that is in both is stored once. The
manifest at the end of the archive has the hash of every file; without it an archive is not whole.
"""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import msgspec

from voicegw.base.errors import LocalError

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_COPY_BYTES: Final = 1 << 20
_LEVEL: Final = 3
"""Of gzip: databases become a quarter of their size, and recordings do not become smaller at any level."""
_SHOWN: Final = 5
_BUSY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Source:
    """A file or all files of a directory; what is not there is left out. ``role`` says what it is to us."""

    role: str
    path: Path
    is_database: bool = False
    """Of SQLite: taken as one consistent state, whoever writes meanwhile."""
    passed_over: tuple[str, ...] = ()
    """Names of files that are not taken."""


class Member(msgspec.Struct, frozen=True):
    """One file. ``path`` is relative to the directory of the configuration where it lay below it."""

    name: str
    path: str
    role: str
    size: int
    sha256: str
    mode: int


class Manifest(msgspec.Struct, frozen=True):
    """What is in an archive. ``database``: where the store is, if it is not in the archive."""

    format: int
    version: str
    made_at: str
    database: str
    members: tuple[Member, ...]


# ---------------------------------------------------------------- into an archive


def write_backup(
    file: Path, base: Path, sources: Sequence[Source], *, version: str, wall: float, database: str = ""
) -> Manifest:
    """Write the archive, readable for its owner only. ``base``: the directory of the configuration.

    The order of ``sources`` is kept. Raises LocalError where the file is there already or something cannot be read.
    """
    part = file.with_name(f".{file.name}.part")
    if file.exists():
        raise LocalError(f"{file} is there already; choose another name")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with (
            os.fdopen(descriptor, "wb") as out,
            tarfile.open(fileobj=out, mode="w:gz", compresslevel=_LEVEL) as archive,
        ):
            members = tuple(_add_all(archive, base, sources, part.parent))
            made_at = datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds")
            manifest = Manifest(FORMAT, version, made_at, database, members)
            data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
            _add(archive, MANIFEST, io.BytesIO(data), len(data), 0o600)
        _sync(part)
        part.replace(file)
    except OSError as error:
        where = file if error.filename in (None, str(part)) else error.filename
        raise LocalError(f"no backup: {where}: {error.strerror}") from None
    except sqlite3.Error as error:
        raise LocalError(f"no backup: a database cannot be read: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _add_all(archive: tarfile.TarFile, base: Path, sources: Iterable[Source], work: Path) -> Iterator[Member]:
    for number, source in enumerate(sources):
        for path in _files_of(source):
            place = str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
            inside = path.relative_to(source.path) if source.path.is_dir() else Path(path.name)
            name = f"{number:02}-{source.role}/{inside}"
            if source.is_database:
                yield _add_database(archive, name, path, place, source.role, work)
            elif (member := _add_file(archive, name, path, place, source.role)) is not None:
                yield member


def _files_of(source: Source) -> list[Path]:
    if source.path.is_dir():
        found = (path for path in source.path.rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(path for path in found if path.name not in source.passed_over)
    return [source.path] if source.path.is_file() else []


def _add_file(archive: tarfile.TarFile, name: str, path: Path, place: str, role: str) -> Member | None:
    """As long as it is now: what is appended meanwhile comes later. None: it has just gone."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        status = os.fstat(file.fileno())
        mode = status.st_mode & 0o777
        digest = _add(archive, name, file, status.st_size, mode)
        return Member(name, place, role, status.st_size, digest, mode)


def _add_database(archive: tarfile.TarFile, name: str, path: Path, place: str, role: str, work: Path) -> Member:
    with tempfile.NamedTemporaryFile(dir=work, prefix=".backup-") as copy:
        address = f"file:{path}?mode=ro"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=_BUSY_S)) as live,
            closing(sqlite3.connect(copy.name)) as snapshot,
        ):
            live.backup(snapshot)
        with Path(copy.name).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = _add(archive, name, file, size, 0o600)
    return Member(name, place, role, size, digest, 0o600)


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def _add(archive: tarfile.TarFile, name: str, file: IO[bytes], size: int, mode: int) -> str:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, mode
    hashed = _Hashed(file)
    archive.addfile(info, hashed)
    return hashed.digest


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


# ---------------------------------------------------------------- out of an archive


def verify_backup(file: Path) -> Manifest:
    """Read all of it; raises LocalError where a file is not what the manifest says."""
    found: dict[str, tuple[int, str]] = {}
    manifest: Manifest | None = None
    try:
        with tarfile.open(file, "r:gz") as archive:
            for info, content in _contents(archive):
                if info.name == MANIFEST:
                    manifest = msgspec.json.decode(content.read(), type=Manifest)
                else:
                    found[info.name] = (info.size, _digest(content))
    except (EOFError, OSError, tarfile.TarError, zlib.error, msgspec.MsgspecError) as error:
        why = error.strerror or error if isinstance(error, OSError) else error
        raise LocalError(f"{file} is no backup, or cut short, or damaged: {why}") from None
    if manifest is None:
        raise LocalError(f"{file} has no manifest: the backup was not finished")
    if manifest.format != FORMAT:
        raise LocalError(f"{file} is of format {manifest.format}; this version reads {FORMAT}")
    wrong = [one.name for one in manifest.members if found.get(one.name) != (one.size, one.sha256)]
    if wrong:
        raise LocalError(f"{file} is damaged: {', '.join(wrong[:_SHOWN])}")
    return manifest


def restore_backup(file: Path, directory: Path) -> tuple[Manifest, list[Path]]:
    """Put everything back, what lay below the configuration's directory below ``directory``; the files written.

    Raises LocalError, before anything is written, where the archive is damaged or anything is there already.
    """
    manifest = verify_backup(file)
    places = {one.name: (_place(one, directory), one.mode) for one in manifest.members}
    there = [str(path) for path, _ in places.values() if os.path.lexists(path)]
    spools = {path.parent for one in manifest.members if one.role == "spool" for path in [places[one.name][0]]}
    there += [str(path) for spool in spools if spool.is_dir() for path in spool.glob("*.spool")]
    if there:
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        raise LocalError(f"nothing is overwritten, and these are there already: {', '.join(there[:_SHOWN])}{more}")
    try:
        for spool in spools:  # of its server alone, as that has made it: what lies there is not sealed
            spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tarfile.open(file, "r:gz") as archive:
            for info, content in _contents(archive):
                if info.name in places:
                    _write(*places[info.name], content)
    except OSError as error:
        raise LocalError(f"restored in part only: {error.filename}: {error.strerror}") from None
    return manifest, [path for path, _ in places.values()]


def _place(member: Member, directory: Path) -> Path:
    if ".." in Path(member.path).parts:
        raise LocalError(f"the backup names a file outside of its directory: {member.path}")
    return directory / member.path  # an absolute path stays one


def _contents(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    for info in archive:
        content = archive.extractfile(info) if info.isfile() else None
        if content is not None:
            yield info, content


def _digest(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while data := content.read(_COPY_BYTES):
        digest.update(data)
    return digest.hexdigest()


def _write(path: Path, mode: int, content: IO[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as out:
        while data := content.read(_COPY_BYTES):
            out.write(data)
        out.flush()
        os.fsync(out.fileno())
