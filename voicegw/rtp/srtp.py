"""SRTP and SRTCP of one stream in one direction (RFC 3711, RFC 6188, RFC 7714), by libsrtp.

libsrtp is called on buffers of our own through the binding that pylibsrtp is built on: its own ``Session`` makes
three copies and a wrapper object a packet, and takes more than twice as long (docs/decisions/0014-srtp.md). The
library knows the rollover counter and the replay window of every SSRC, and begins a stream with its first packet
that is authentic, so that a stranger changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from voicegw.base.errors import LocalError
from voicegw.base.srtp_suites import SRTP_SUITES

try:
    from pylibsrtp._binding import ffi, lib
except ImportError:  # there is no wheel for this platform, or another version of pylibsrtp
    ffi = lib = None

BUFFER_BYTES: Final = 2048
SEAL_BYTES: Final = 20
"""Room behind a plain packet that is sealed where it lies: the longest tag has 16 bytes."""
SealPlace = Any
"""A pointer of the library into somebody's memory."""
_LONGEST_BYTES: Final = BUFFER_BYTES - 160
"""A packet that leaves room for all that SRTP may put behind it (SRTP_MAX_TRAILER_LEN and an SRTCP index)."""
FORGED: Final = -1
"""Not made with the key of the stream."""
REPLAYED: Final = -2
"""Seen before, or older than anybody can tell."""
_REPLAY_STATUS: Final = (9, 10)
"""srtp_err_status_replay_fail and _replay_old."""
_PROFILES: Final = {
    "AEAD_AES_256_GCM": "srtp_profile_aead_aes_256_gcm",
    "AEAD_AES_128_GCM": "srtp_profile_aead_aes_128_gcm",
    "AES_256_CM_HMAC_SHA1_80": "srtp_profile_aes128_cm_sha1_80",
    "AES_CM_128_HMAC_SHA1_80": "srtp_profile_aes128_cm_sha1_80",
    "AES_256_CM_HMAC_SHA1_32": "srtp_profile_aes128_cm_sha1_32",
    "AES_CM_128_HMAC_SHA1_32": "srtp_profile_aes128_cm_sha1_32",
}
"""DTLS has no profile of AES-256 in counter mode: here it is that of AES-128 with another cipher."""
_AES_128_CM: Final = (1, 30, 3, 20)
_AES_256_CM: Final = (5, 46)
"""How an ``srtp_crypto_policy_t`` begins: cipher, length of its key with the salt, then HMAC-SHA1 and its key."""
_TAG_BYTES: Final = {"_80": 10, "_32": 4}
"""The authentication tag behind an MKI, by the end of the suite's name; that of AEAD is within the ciphertext."""
_REPORT_TAG_BYTES: Final = 10
"""SRTCP has the long tag also where SRTP has the short one (RFC 4568 §6.2.2)."""


@dataclass(frozen=True, slots=True)
class SrtpKey:
    """A master key with its salt, and the MKI that packets made with it carry, if any."""

    suite: str
    secret: bytes = field(repr=False)
    mki: bytes = b""


@cache
def available_suites() -> frozenset[str]:
    """The suites that the library has here; none without it."""
    return frozenset(name for name in SRTP_SUITES if _is_available(name))


def _is_available(suite: str) -> bool:
    try:
        SrtpReceiver(SrtpKey(suite, bytes(SRTP_SUITES[suite].secret_bytes)))
    except LocalError:
        return False
    return True


class _Stream:
    """A session of the library for one direction, and the buffer in which it works."""

    def __init__(self, key: SrtpKey, direction: str) -> None:
        suite = SRTP_SUITES.get(key.suite)
        if lib is None:
            raise LocalError("SRTP needs the package pylibsrtp")
        if suite is None or len(key.secret) != suite.secret_bytes:
            raise LocalError(f"no key for SRTP with {key.suite}")
        policy, session = ffi.new("srtp_policy_t *"), ffi.new("srtp_t *")
        _set_suite(policy, key.suite)
        secret = ffi.new("unsigned char[]", key.secret)  # read by srtp_create, which keeps what it derives
        policy.key = secret
        policy.ssrc.type = getattr(lib, direction)
        _check(lib.srtp_create(session, policy), key.suite)
        self._owner = ffi.gc(session, _free)
        self._session = session[0]
        self._data = ffi.new("char[]", BUFFER_BYTES)
        self._length = ffi.new("int *")
        self.buffer = memoryview(ffi.buffer(self._data))
        """Where packets are protected or unprotected, in place."""


def seal_place(memory: memoryview) -> SealPlace:
    """Where :meth:`SrtpSender.seal` works: contiguous bytes, at an address that is a multiple of four."""
    return ffi.from_buffer("char[]", memory)


def _free(session: Any) -> None:
    lib.srtp_dealloc(session[0])


def _check(status: int, suite: str) -> None:
    if status:
        raise LocalError(f"the SRTP library does not have {suite}")


def _set_suite(policy: Any, suite: str) -> None:
    profile = getattr(lib, _PROFILES[suite])
    rtp, rtcp = ffi.addressof(policy.rtp), ffi.addressof(policy.rtcp)
    _check(lib.srtp_crypto_policy_set_from_profile_for_rtp(rtp, profile), suite)
    _check(lib.srtp_crypto_policy_set_from_profile_for_rtcp(rtcp, profile), suite)
    if suite.startswith("AES_256_CM"):
        for part in (rtp, rtcp):
            words = ffi.cast("int *", part)
            _check(tuple(words[0:4]) != _AES_128_CM, suite)
            words[0], words[1] = _AES_256_CM


class SrtpSender(_Stream):
    """Protects what is sent. The rollover counter of an SSRC begins with 0."""

    def __init__(self, key: SrtpKey) -> None:
        """LocalError for a suite that the library does not have, or a secret that does not fit it."""
        super().__init__(key, "ssrc_any_outbound")
        self._protect, self._protect_report = (lib.srtp_protect, lib.srtp_protect_rtcp)

    def protect(self, packet: memoryview | bytes) -> memoryview | None:
        """The SRTP packet, until the next one is made; None if the library refuses (a key that is worn out)."""
        return self._run(self._protect, packet)

    def seal(self, place: SealPlace, size: int) -> int:
        """Protect the packet of ``size`` bytes at ``place``, behind which there is room for ``SEAL_BYTES``.

        Its size then, 0 if the library refuses.
        """
        length = self._length
        length[0] = size
        return 0 if self._protect(self._session, place, length) else int(length[0])

    def protect_report(self, packet: memoryview | bytes) -> memoryview | None:
        """The same for RTCP."""
        return self._run(self._protect_report, packet)

    def _run(self, work: Any, packet: memoryview | bytes) -> memoryview | None:
        size = len(packet)
        if size > _LONGEST_BYTES:
            return None
        self.buffer[:size] = packet
        self._length[0] = size
        if work(self._session, self._data, self._length):
            return None
        return self.buffer[: self._length[0]]


class SrtpReceiver(_Stream):
    """Authenticates and decrypts what was received into :attr:`buffer`."""

    def __init__(self, key: SrtpKey) -> None:
        """LocalError for a suite that the library does not have, or a secret that does not fit it."""
        super().__init__(key, "ssrc_any_inbound")
        self.mki = key.mki
        """Stands in every packet before its tag; empty for none."""
        self._tag_bytes = _TAG_BYTES.get(key.suite[-3:], 0)
        self._report_tag_bytes = _REPORT_TAG_BYTES if self._tag_bytes else 0
        self._unprotect, self._unprotect_report = (lib.srtp_unprotect, lib.srtp_unprotect_rtcp)

    def unprotect(self, size: int) -> int:
        """Turn the first ``size`` bytes of the buffer into RTP. Its size, or FORGED, or REPLAYED."""
        if self.mki:
            size = self._without_mki(size, self._tag_bytes)
        self._length[0] = size
        status = self._unprotect(self._session, self._data, self._length)
        return self._length[0] if not status else _failure(status)

    def unprotect_report(self, size: int) -> int:
        """The same for RTCP."""
        if self.mki:
            size = self._without_mki(size, self._report_tag_bytes)
        self._length[0] = size
        status = self._unprotect_report(self._session, self._data, self._length)
        return self._length[0] if not status else _failure(status)

    def _without_mki(self, size: int, tag_bytes: int) -> int:
        """Take out the MKI before the tag (RFC 3711 §3.1). Without it 0, a size that nothing unprotects."""
        start = size - tag_bytes - len(self.mki)
        end = size - tag_bytes
        if start < 0 or self.buffer[start:end] != self.mki:
            return 0
        self.buffer[start : start + tag_bytes] = bytes(self.buffer[end:size])
        return start + tag_bytes


def _failure(status: int) -> int:
    return REPLAYED if status in _REPLAY_STATUS else FORGED
