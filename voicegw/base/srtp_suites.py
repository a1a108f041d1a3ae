"""The crypto suites of SRTP by the names that SDP has for them (RFC 4568 §6.2, RFC 6188 §7, RFC 7714 §14.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SrtpSuite:
    """``name`` as the RFC has it; lengths in bytes of the master key and the master salt, which travel as one."""

    name: str
    key_bytes: int
    salt_bytes: int

    @property
    def secret_bytes(self) -> int:
        """Key and salt together."""
        return self.key_bytes + self.salt_bytes


_KNOWN = (
    SrtpSuite("AEAD_AES_256_GCM", 32, 12),
    SrtpSuite("AEAD_AES_128_GCM", 16, 12),
    SrtpSuite("AES_256_CM_HMAC_SHA1_80", 32, 14),
    SrtpSuite("AES_CM_128_HMAC_SHA1_80", 16, 14),
    SrtpSuite("AES_256_CM_HMAC_SHA1_32", 32, 14),
    SrtpSuite("AES_CM_128_HMAC_SHA1_32", 16, 14),
)
SRTP_SUITES: Final = {suite.name: suite for suite in _KNOWN}
"""The strongest first."""
_MISNOMERS: Final = {
    "AES_CM_256_HMAC_SHA1_80": "AES_256_CM_HMAC_SHA1_80",
    "AES_CM_256_HMAC_SHA1_32": "AES_256_CM_HMAC_SHA1_32",
}
"""Telephones name AES-256 after the pattern of AES-128."""


def srtp_suite(name: str) -> SrtpSuite | None:
    """The suite that a name means, in any case; None for one that we do not have."""
    upper = name.upper()
    return SRTP_SUITES.get(_MISNOMERS.get(upper, upper))
