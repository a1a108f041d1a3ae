"""SRTP and SRTCP written down from the RFCs, a packet at a time: what the library is compared with.

RFC 3711 §4.1.1, §4.2 and §4.3, RFC 6188 for AES-256, RFC 7714 §8, §9 and §11 for AEAD.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_RTP_LABELS, _RTCP_LABELS = (0, 1, 2), (3, 4, 5)


def keystream(key: bytes, counter: int, size: int) -> bytes:
    """AES in counter mode from a 128-bit ``counter``."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16, "big"))).encryptor()
    return encryptor.update(bytes(size))


def derived(key: bytes, salt: bytes, label: int, size: int) -> bytes:
    """A session key (§4.3.1, key derivation rate 0)."""
    whole = int.from_bytes(salt.ljust(14, b"\0"), "big")
    return keystream(key, (whole ^ label << 48) << 16, size)


def _mixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


@dataclass(frozen=True)
class Reference:
    """A suite by its sizes; ``tag`` 16 is AEAD."""

    key: bytes
    salt: bytes
    tag: int

    def _session(self, labels: tuple[int, int, int]) -> tuple[bytes, bytes, bytes]:
        encryption, authentication, salting = labels
        return (
            derived(self.key, self.salt, encryption, len(self.key)),
            derived(self.key, self.salt, authentication, 20),
            derived(self.key, self.salt, salting, len(self.salt)),
        )

    def protect(self, packet: bytes, rollover: int = 0) -> bytes:
        """SRTP of a packet with a plain header of 12 bytes."""
        key, authentication, salt = self._session(_RTP_LABELS)
        header, payload = packet[:12], packet[12:]
        sequence, ssrc = int.from_bytes(packet[2:4], "big"), packet[8:12]
        index = rollover << 16 | sequence
        if self.tag == 16:
            nonce = _mixed(b"\0\0" + ssrc + index.to_bytes(6, "big"), salt)
            return header + AESGCM(key).encrypt(nonce, payload, header)
        counter = int.from_bytes(salt, "big") << 16 ^ int.from_bytes(ssrc, "big") << 64 ^ index << 16
        made = header + _mixed(payload, keystream(key, counter, len(payload)))
        digest = hmac.digest(authentication, made + rollover.to_bytes(4, "big"), hashlib.sha1)
        return made + digest[: self.tag]

    def protect_report(self, packet: bytes, index: int) -> bytes:
        """SRTCP of a compound, encrypted."""
        key, authentication, salt = self._session(_RTCP_LABELS)
        header, rest, ssrc = packet[:8], packet[8:], packet[4:8]
        trailer = (1 << 31 | index).to_bytes(4, "big")
        if self.tag == 16:
            nonce = _mixed(b"\0\0" + ssrc + b"\0\0" + index.to_bytes(4, "big"), salt)
            return header + AESGCM(key).encrypt(nonce, rest, header + trailer) + trailer
        counter = int.from_bytes(salt, "big") << 16 ^ int.from_bytes(ssrc, "big") << 64 ^ index << 16
        made = header + _mixed(rest, keystream(key, counter, len(rest))) + trailer
        return made + hmac.digest(authentication, made, hashlib.sha1)[:10]
