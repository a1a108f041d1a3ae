"""Wraps the data key of a recording to a public key: X25519 and ML-KEM-768 together.

Both shared secrets and everything that was exchanged go through HKDF (RFC 5869), so that the key is safe as long as
one of the two is: X25519 against a mistake in the young lattice scheme, ML-KEM against whoever keeps the files
until there is a quantum computer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voicegw.recording.seal_keys import KEY_ID_BYTES, KeyId, SealPrivateKey, SealPublicKey

_CONTEXT: Final = b"voicegw seal 1: data key"
_NONCE: Final = bytes(12)
"""A wrapping key is derived for one data key and used once."""
_LAYOUT: Final = struct.Struct(f">{KEY_ID_BYTES}s32s1088s48s")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """One recipient's copy of the data key."""

    SIZE: ClassVar[int] = _LAYOUT.size

    key_id: KeyId
    ephemeral: bytes
    """X25519 public key, made for this copy."""
    ciphertext: bytes
    """Of ML-KEM-768."""
    sealed_key: bytes

    @classmethod
    def from_bytes(cls, raw: bytes) -> Wrapped:
        """Read ``SIZE`` bytes."""
        return cls(*_LAYOUT.unpack(raw))

    def to_bytes(self) -> bytes:
        """The inverse of :meth:`from_bytes`."""
        return _LAYOUT.pack(self.key_id, self.ephemeral, self.ciphertext, self.sealed_key)


def wrap(data_key: bytes, recipient: SealPublicKey, bound_to: bytes) -> Wrapped:
    """Seal ``data_key`` so that only the recipient's private key opens it, and only together with ``bound_to``."""
    ephemeral = X25519PrivateKey.generate()
    classical = ephemeral.exchange(recipient.x25519)
    lattice, ciphertext = recipient.mlkem.encapsulate()
    point = ephemeral.public_key().public_bytes_raw()
    key = _combine(lattice, classical, point, ciphertext, recipient)
    return Wrapped(recipient.key_id, point, ciphertext, AESGCM(key).encrypt(_NONCE, data_key, bound_to))


def unwrap(wrapped: Wrapped, private_key: SealPrivateKey, bound_to: bytes) -> bytes | None:
    """The data key; None if anything was changed, or it is not for this key."""
    try:
        classical = private_key.x25519.exchange(X25519PublicKey.from_public_bytes(wrapped.ephemeral))
        lattice = private_key.mlkem.decapsulate(wrapped.ciphertext)
        public = private_key.public_key()
        key = _combine(lattice, classical, wrapped.ephemeral, wrapped.ciphertext, public)
        return AESGCM(key).decrypt(_NONCE, wrapped.sealed_key, bound_to)
    except (InvalidTag, ValueError):  # ValueError: a point of small order (RFC 7748 §6.1)
        return None


def _combine(lattice: bytes, classical: bytes, point: bytes, ciphertext: bytes, recipient: SealPublicKey) -> bytes:
    transcript = _CONTEXT + point + ciphertext + recipient.to_bytes()
    return HKDF(SHA256(), 32, salt=None, info=transcript).derive(lattice + classical)
