"""Keys of sealed recordings: a pair of X25519 and ML-KEM-768 keys that are made, kept and named together.

A file holds one key as one line of text: what it is, a space, the raw bytes in base64. Lines that begin with ``#``
are for people. A key's id is the start of a hash of its public half, so that a recording can say which private key
opens it. ``docs/privacy.md`` has the bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from voicegw.base.durable import sync_directory
from voicegw.base.errors import ConfigError, LocalError

KeyId: TypeAlias = bytes

KEY_ID_BYTES: Final = 8
X25519_BYTES: Final = 32
MLKEM_PUBLIC_BYTES: Final = 1184
MLKEM_SEED_BYTES: Final = 64
_PUBLIC_LABEL: Final = "voicegw-seal-public-1"
_PRIVATE_LABEL: Final = "voicegw-seal-private-1"
_PRIVATE_MODE: Final = 0o600
_PUBLIC_MODE: Final = 0o644
_FORBIDDEN_BITS: Final = 0o077
_ID_CONTEXT: Final = b"voicegw seal key id 1"


@dataclass(frozen=True, slots=True)
class SealPublicKey:
    """What recordings are sealed to. It opens nothing, and may lie about."""

    x25519: X25519PublicKey
    mlkem: MLKEM768PublicKey

    @classmethod
    def from_bytes(cls, raw: bytes) -> SealPublicKey:
        """The X25519 key (RFC 7748), then the ML-KEM-768 encapsulation key (FIPS 203 §7.2); raises ValueError."""
        if len(raw) != X25519_BYTES + MLKEM_PUBLIC_BYTES:
            raise ValueError(f"{len(raw)} bytes instead of {X25519_BYTES + MLKEM_PUBLIC_BYTES}")
        return cls(
            X25519PublicKey.from_public_bytes(raw[:X25519_BYTES]),
            MLKEM768PublicKey.from_public_bytes(raw[X25519_BYTES:]),
        )

    def to_bytes(self) -> bytes:
        """The inverse of :meth:`from_bytes`."""
        return self.x25519.public_bytes_raw() + self.mlkem.public_bytes_raw()

    @property
    def key_id(self) -> KeyId:
        """Eight bytes that name the pair."""
        return hashlib.sha256(_ID_CONTEXT + self.to_bytes()).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class SealPrivateKey:
    """What opens recordings."""

    x25519: X25519PrivateKey
    mlkem: MLKEM768PrivateKey

    @classmethod
    def generate(cls) -> SealPrivateKey:
        """A new pair; raises LocalError where the ``cryptography`` package has no ML-KEM."""
        try:
            return cls(X25519PrivateKey.generate(), MLKEM768PrivateKey.generate())
        except UnsupportedAlgorithm as error:
            raise LocalError(f"this build of the cryptography package has no ML-KEM-768: {error}") from None

    @classmethod
    def from_bytes(cls, raw: bytes) -> SealPrivateKey:
        """The X25519 private key, then the seed ``d || z`` of ML-KEM (FIPS 203 §7.1); raises ValueError."""
        if len(raw) != X25519_BYTES + MLKEM_SEED_BYTES:
            raise ValueError(f"{len(raw)} bytes instead of {X25519_BYTES + MLKEM_SEED_BYTES}")
        return cls(
            X25519PrivateKey.from_private_bytes(raw[:X25519_BYTES]),
            MLKEM768PrivateKey.from_seed_bytes(raw[X25519_BYTES:]),
        )

    def to_bytes(self) -> bytes:
        """The inverse of :meth:`from_bytes`."""
        return self.x25519.private_bytes_raw() + self.mlkem.private_bytes_raw()

    def public_key(self) -> SealPublicKey:
        """The half that recordings are sealed to."""
        return SealPublicKey(self.x25519.public_key(), self.mlkem.public_key())


class KeyRing:
    """Private keys by id: the present one and those from before a rotation."""

    def __init__(self, keys: Iterable[SealPrivateKey] = ()) -> None:
        self._keys = {key.public_key().key_id: key for key in keys}

    def get(self, key_id: KeyId) -> SealPrivateKey | None:
        """The private key of this id, if it is here."""
        return self._keys.get(key_id)

    def __len__(self) -> int:
        return len(self._keys)


# ---------------------------------------------------------------- files


def write_key_pair(key: SealPrivateKey, private_path: Path, public_path: Path) -> None:
    """Two new files, the private one readable by its owner only; raises LocalError rather than replace one."""
    name = key.public_key().key_id.hex()
    _write_new(private_path, _PRIVATE_LABEL, name, key.to_bytes(), _PRIVATE_MODE)
    _write_new(public_path, _PUBLIC_LABEL, name, key.public_key().to_bytes(), _PUBLIC_MODE)


def read_public_keys(paths: Iterable[str]) -> tuple[SealPublicKey, ...]:
    """The keys of these files; raises ConfigError naming the file and what is wrong with it."""
    return tuple(_read_public(path) for path in paths)


def read_key_ring(paths: Iterable[str]) -> KeyRing:
    """The private keys of these files; raises ConfigError, also for a file that others may read."""
    return KeyRing(_read_private(path) for path in paths)


def _read_public(path: str) -> SealPublicKey:
    raw = _read(path, _PUBLIC_LABEL)
    try:
        return SealPublicKey.from_bytes(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"no public key for recordings: {error}", file=path) from None


def _read_private(path: str) -> SealPrivateKey:
    raw = _read(path, _PRIVATE_LABEL)
    if Path(path).stat().st_mode & _FORBIDDEN_BITS:
        raise ConfigError("others may read this private key", file=path, fix=f"chmod 600 {path}")
    try:
        return SealPrivateKey.from_bytes(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"no private key for recordings: {error}", file=path) from None


def _read(path: str, label: str) -> bytes:
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"the key cannot be read: {reason}", file=path) from None
    keys = [line for line in lines if line.strip() and not line.startswith("#")]
    found, _, encoded = keys[0].partition(" ") if len(keys) == 1 else ("", "", "")
    if found != label:
        fix = "make a pair with: voicegw recordings keygen"
        raise ConfigError(f"there is no '{label}' key in this file", file=path, fix=fix)
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error as error:
        raise ConfigError(f"the key is damaged: {error}", file=path) from None


def _write_new(path: Path, label: str, name: str, raw: bytes, mode: int) -> None:
    text = f"# key {name} of sealed recordings\n{label} {base64.b64encode(raw).decode()}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)
    except OSError as error:
        raise LocalError(f"{path}: {error.strerror}") from None
