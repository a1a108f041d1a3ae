"""Bearer secrets: sessions, API keys, one-time links. Random, shown once, stored as their hash.

They carry 160 bits or more, so a plain SHA-256 is enough at rest: there is no dictionary of them.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

from voicegw.base.ids import RandomBytes, token

KEY_PREFIX = "vgk"
SESSION_PREFIX = "vgs"
LINK_PREFIX = "vgl"
_SECRET_LENGTH = 40


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token: ``secret`` goes to its owner once, ``digest`` is kept and found by."""

    secret: str = field(repr=False)
    digest: bytes


def issue(prefix: str, random: RandomBytes) -> IssuedToken:
    """A new token: ``prefix_secret``. By the prefix, scanners for leaked secrets find it."""
    secret = f"{prefix}_{token(random, _SECRET_LENGTH)}"
    return IssuedToken(secret, digest_of(secret))


def is_token(secret: str, prefix: str) -> bool:
    """Whether it looks like a token of that kind; anything else need not be looked up."""
    return secret.startswith(f"{prefix}_") and len(secret) == len(prefix) + 1 + _SECRET_LENGTH and secret.isascii()


def digest_of(secret: str) -> bytes:
    """What is stored of a token."""
    return sha256(secret.encode()).digest()


def csrf_of(session_secret: str) -> str:
    """What a page must send back in a header with every change it makes by cookie.

    Bound to the session and not to be guessed without it; a foreign page can send the cookie but cannot read this.
    """
    return hmac.digest(session_secret.encode(), b"csrf", "sha256").hex()
