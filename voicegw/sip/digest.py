"""Digest access authentication: what is hashed, with what, and in which order (RFC 7616 §3.4, RFC 8760).

Pure functions for both sides. Text is latin-1, one character a byte of the wire; only a password is text for people
and is hashed as UTF-8. Whoever keeps ``HA1`` never needs the password again, and it opens one realm only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from voicegw.sip.grammar import to_wire


class Algorithm(Enum):
    """What hashes; the value is its token without ``-sess``, weakest first (RFC 7616 §6.1, RFC 8760 §2.1)."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"

    @property
    def strength(self) -> int:
        """Larger is stronger."""
        return _STRENGTH[self]

    @property
    def hex_digits(self) -> int:
        """Length of what it makes, in characters."""
        return 32 if self is Algorithm.MD5 else 64

    def hash(self, text: str) -> str:
        """The hash of ``text`` in lower-case hexadecimal."""
        return self.hash_bytes(text.encode("latin-1"))

    def hash_bytes(self, data: bytes) -> str:
        """The hash of ``data`` in lower-case hexadecimal."""
        return hashlib.new(_HASHES[self], data, usedforsecurity=False).hexdigest()


_STRENGTH: Final = {kind: place for place, kind in enumerate(Algorithm)}
_HASHES: Final = {Algorithm.MD5: "md5", Algorithm.SHA_256: "sha256", Algorithm.SHA_512_256: "sha512_256"}
SESSION_SUFFIX: Final = "-sess"
_BY_TOKEN: Final = {kind.value.lower(): kind for kind in Algorithm}


def parse_algorithm(token: str) -> tuple[Algorithm, bool] | None:
    """Return (algorithm, whether it is of the ``-sess`` kind), None for one we do not know. Empty is MD5."""
    lowered = token.strip().lower() or "md5"
    bare = lowered.removesuffix(SESSION_SUFFIX)
    kind = _BY_TOKEN.get(bare)
    return None if kind is None else (kind, bare != lowered)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are towards somebody who asks. ``ha1`` stands in for the password where only that is kept."""

    username: str
    password: str = field(default="", repr=False)
    ha1: Mapping[Algorithm, str] = field(default_factory=dict, repr=False)

    def secret(self, algorithm: Algorithm, realm: str) -> str | None:
        """HA1 for a realm; None where neither it nor the password is known."""
        kept = self.ha1.get(algorithm)
        if kept is not None or not self.password:
            return kept
        return make_ha1(algorithm, to_wire(self.username), realm, self.password)


def make_ha1(algorithm: Algorithm, username: str, realm: str, password: str) -> str:
    """H(username:realm:password), which is as good as the password within its realm (RFC 7616 §3.4.2, §5.13)."""
    return algorithm.hash(f"{username}:{realm}:{to_wire(password)}")


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything but the secret that a response depends on (RFC 7616 §3.4.1). An empty ``qop`` is RFC 2069's."""

    algorithm: Algorithm
    is_session: bool
    nonce: str
    method: str
    uri: str
    qop: str = ""
    nc: str = ""
    cnonce: str = ""
    body: bytes = b""

    def response(self, ha1: str) -> str:
        """The response for one who knows ``ha1``."""
        h = self.algorithm.hash
        secret = h(f"{ha1}:{self.nonce}:{self.cnonce}") if self.is_session else ha1
        about = f"{self.method}:{self.uri}"
        if self.qop == "auth-int":
            about = f"{about}:{self.algorithm.hash_bytes(self.body)}"
        if not self.qop:
            return h(f"{secret}:{self.nonce}:{h(about)}")
        return h(f"{secret}:{self.nonce}:{self.nc}:{self.cnonce}:{self.qop}:{h(about)}")
