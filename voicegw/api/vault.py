"""Secrets at rest: AES-256-GCM under a key in a file of its own. What goes in comes out only to be used.

A sealed text is bound to its place (``context``), so that it is worthless in another row of the database.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voicegw.base.errors import LocalError
from voicegw.base.ids import RandomBytes

_NONCE_BYTES = 12
_FORMAT = b"\x01"
"""First byte of everything sealed, so that another cipher can come one day."""


class Vault:
    """Seals and opens small texts."""

    def __init__(self, key: bytes, random: RandomBytes = os.urandom) -> None:
        self._cipher = AESGCM(key)
        self._random = random
        self._shut = ""

    def shut(self, reason: str) -> None:
        """From now on everything is refused with a LocalError that says this."""
        self._shut = reason

    def seal(self, text: str, context: str) -> bytes:
        """Encrypt; the result is different each time. Raises LocalError for a vault that is shut."""
        self._demand_open()
        nonce = self._random(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, text.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """Decrypt; raises LocalError where key, context or text is not the one it was sealed with."""
        self._demand_open()
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if not sealed.startswith(_FORMAT):
                raise ValueError
            return self._cipher.decrypt(nonce, body, context.encode()).decode()
        except (InvalidTag, ValueError):
            raise LocalError(f"the secret of {context} cannot be opened with this key") from None

    def _demand_open(self) -> None:
        if self._shut:
            raise LocalError(self._shut)


def trunk_context(trunk_id: str) -> str:
    """What a trunk's password is bound to."""
    return f"trunk {trunk_id}"


def phone_context(phone_id: str) -> str:
    """What a phone's hashes are bound to."""
    return f"phone {phone_id}"


def webhook_context(subscription_id: str) -> str:
    """What a subscription's secret is bound to."""
    return f"webhook {subscription_id}"


def totp_context(user_id: str) -> str:
    """What the secret of a user's authenticator app is bound to."""
    return f"totp of {user_id}"
