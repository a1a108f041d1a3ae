"""The file with the key of all stored secrets: made at the first start, or mounted as the secret of a container.

The key is 32 random bytes, as they are or as 64 hexadecimal digits. Nothing here changes a file that is there: a
mounted secret can neither be written nor given another mode.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Final, NoReturn

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from voicegw.base.durable import sync_directory
from voicegw.base.errors import ConfigError
from voicegw.base.ids import RandomBytes

KEY_BYTES: Final = 32
_DIGITS: Final = re.compile(rb"[0-9a-fA-F]{64}\s*")
_VOLATILE: Final = Path("/run")
"""Secrets of containers are mounted below it, and it is empty after a restart: no place to make a key."""
_MAKE: Final = "head -c 32 /dev/urandom >"


def load_key(path: Path, random: RandomBytes = os.urandom) -> bytes:
    """Read the key, or make it at the first start, readable for its owner only.

    Raises ConfigError where it can be neither, where others may read the file, or where it holds no key.
    """
    if not _is_there(path):
        _make(path, random)  # another process may be faster: what is in the file then counts
    return read_key(path)


def read_key(path: Path) -> bytes:
    """The key that is there; raises ConfigError as :func:`load_key` does, and where there is none."""
    try:
        _demand_privacy(path)
        data = path.read_bytes()
    except OSError as error:
        _refuse(path, error)
    if _DIGITS.fullmatch(data):
        return bytes.fromhex(data.decode())
    if len(data) != KEY_BYTES:
        fix = "restore it from a backup: without it no stored secret can be read"
        message = f"holds {len(data)} bytes instead of a key of {KEY_BYTES}, or of 64 hexadecimal digits"
        raise ConfigError(message, file=str(path), fix=fix)
    return data


def derive(key: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, which tell nothing of ``key`` or of those for another (HKDF-Expand, RFC 5869 §2.3).

    The key is uniformly random as it is, so there is nothing to extract.
    """
    return HKDFExpand(SHA256(), KEY_BYTES, f"voicegw {purpose}".encode()).derive(key)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        _refuse(path, error)


def _make(path: Path, random: RandomBytes) -> None:
    """Written aside and linked, so that nobody ever reads half of it, and the first of several wins.

    What is sealed from now on is in the database for good, so the file has to be as well.
    """
    if path.resolve().is_relative_to(_VOLATILE):
        fix = f"mount the secret there. {_MAKE} FILE makes one, the same file for all nodes that share a store"
        raise ConfigError(
            "is not there, and no key is made where it would not outlive a restart", file=str(path), fix=fix
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:
            file.write(random(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
            os.link(file.name, path)
        sync_directory(path.parent)
    except FileExistsError:
        pass
    except OSError as error:
        fix = f"let api.key_file be one that this user can make, or make it: {_MAKE} {path}"
        message = f"is not there, and cannot be made: {error.strerror}"
        raise ConfigError(message, file=str(path), fix=fix) from None


def _demand_privacy(path: Path) -> None:
    """Raises ConfigError where more people than need to can read the key, or anybody but its owner change it.

    On a read-only mount, as containers and systemd make them for secrets, the mode says who of the container reads,
    and nobody here could change it. A file of root's is placed by an administrator, with a group to read it by.
    """
    status = path.stat()
    mode, is_placed = stat.S_IMODE(status.st_mode), status.st_uid == 0 != os.geteuid()
    if mode & 0o022:
        raise ConfigError("others may change the key of all secrets", file=str(path), fix=f"chmod go-w {path}")
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return
    if mode & (0o007 if is_placed else 0o077):
        fix = f"chmod {'640' if is_placed else '600'} {path}, or mount it read-only"
        raise ConfigError("others may read the key of all secrets", file=str(path), fix=fix)


def _refuse(path: Path, error: OSError) -> NoReturn:
    fix = {
        FileNotFoundError: f"start the server once, which makes it, or make it: {_MAKE} {path}",
        IsADirectoryError: "a container engine makes a directory where the file to mount is missing: make the file",
        PermissionError: f"let user {os.geteuid()} read it: a secret is mounted with mode 0440 and a group of the "
        "user's, or with 0444",
    }.get(type(error), "look at the file and the disk")
    raise ConfigError(f"cannot be read: {error.strerror}", file=str(path), fix=fix) from None
