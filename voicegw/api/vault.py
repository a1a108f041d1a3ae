"""Secrets at rest: AES-256-GCM under a key in a file of its own. What goes in comes out only to be used.

A sealed text is bound to its place (``context``), so that it is worthless in another row of the database.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.ids import RandomBytes

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = b"\x01"
"""First byte of everything sealed, so that another cipher can come one day."""


class Vault:
    """Seals and opens small texts."""

    def __init__(self, key: bytes, random: RandomBytes = os.urandom) -> None:
        self._cipher = AESGCM(key)
        self._random = random

    def seal(self, text: str, context: str) -> bytes:
        """Encrypt; the result is different each time."""
        nonce = self._random(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, text.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """Decrypt; raises LocalError where key, context or text is not the one it was sealed with."""
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if not sealed.startswith(_FORMAT):
                raise ValueError
            return self._cipher.decrypt(nonce, body, context.encode()).decode()
        except (InvalidTag, ValueError):
            raise LocalError(f"the secret of {context} cannot be opened with this key") from None


def trunk_context(trunk_id: str) -> str:
    """What a trunk's password is bound to."""
    return f"trunk {trunk_id}"


def load_key(path: Path, random: RandomBytes = os.urandom) -> bytes:
    """Read the key, or make it at the first start, readable for its owner only.

    Raises ConfigError where others may read the file or it holds no key.
    """
    try:
        return _read_key(path)
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    key = random(KEY_BYTES)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was first
        return _read_key(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


def _read_key(path: Path) -> bytes:
    mode = path.stat().st_mode
    if mode & 0o077:
        raise ConfigError("others may read the key of all secrets", file=str(path), fix=f"chmod 600 {path}")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        fix = "restore it from a backup: without it no stored secret can be read"
        raise ConfigError(f"holds {len(key)} bytes instead of a key of {KEY_BYTES}", file=str(path), fix=fix)
    return key
