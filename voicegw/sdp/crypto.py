"""``a=crypto``: master keys for SRTP in the description itself (RFC 4568).

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:BASE64|2^31|1:4 KDR=0

A line that asks for what we do not do is not taken (§7.1.2): another one may do. The keys are never shown: whatever
prints a description or a session prints none of them.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from voicegw.base.srtp_suites import srtp_suite
from voicegw.sdp.description import MediaDescription

ATTRIBUTE = "crypto"
_LINE = re.compile(r"([0-9]{1,9})[ \t]+([A-Za-z0-9_]{1,64})[ \t]+([^ \t]+)((?:[ \t]+[^ \t]+)*)")
_KEY = re.compile(
    r"(?i:inline):([A-Za-z0-9+/]{1,128}={0,2})(?:\|(2\^[0-9]{1,2}|[0-9]{1,15}))?(?:\|([0-9]{1,40}):([0-9]{1,3}))?"
)
_LONGEST_LIFETIME = 48
"""As a power of two: an SRTP index has 48 bits (RFC 3711 §9.2), and no key may outlive it."""
_LONGEST_MKI = 128
_HARMLESS = re.compile(r"-.*|WSH=[0-9]{2,3}|KDR=0|FEC_ORDER=.*", re.IGNORECASE | re.DOTALL)
"""What may be read over: names with a hyphen are optional by definition (§6.3.7), a window is a hint, and without
forward error correction its order does not matter. All else would change what is encrypted or how."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key with its salt, under a suite; ``mki`` precedes the tag of every packet made with it, if any."""

    suite: str
    secret: bytes = field(repr=False)
    mki: bytes = b""


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """One line that can be taken. ``suite_name`` is its sender's spelling, which an answer repeats (§5.1.2)."""

    tag: int
    suite_name: str
    key: MasterKey

    @property
    def value(self) -> str:
        """Of the attribute, without lifetime and MKI: the former is the suite's, and one key needs no name."""
        return f"{self.tag} {self.suite_name} inline:{base64.b64encode(self.key.secret).decode()}"


def lines_of(media: MediaDescription) -> tuple[CryptoLine, ...]:
    """The lines of a section that can be taken, in its order; a tag that comes again is no longer one (§4.1)."""
    lines: dict[int, CryptoLine] = {}
    for name, value in media.attributes:
        line = parse_line(value) if name == ATTRIBUTE and value is not None else None
        if line is not None:
            lines.setdefault(line.tag, line)
    return tuple(lines.values())


def parse_line(value: str) -> CryptoLine | None:
    """Read the value of one attribute; None for what is malformed, unknown, or asks for what we do not do."""
    match = _LINE.fullmatch(value)
    suite = srtp_suite(match.group(2)) if match is not None else None
    if match is None or suite is None:
        return None
    tag, name, key_text, parameters = match.groups()
    if not all(_HARMLESS.fullmatch(parameter) for parameter in parameters.split()):
        return None
    key = _parse_key(suite.name, suite.secret_bytes, key_text)
    return None if key is None else CryptoLine(int(tag), name, key)


def _parse_key(suite: str, secret_bytes: int, text: str) -> MasterKey | None:
    """The key of a line; None also for several that take turns by their MKI: no peer is known to do that."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    encoded, lifetime, mki, mki_length = match.groups()
    secret = _decoded(encoded)
    if len(secret) != secret_bytes or not _is_lifetime(lifetime):
        return None
    if mki is None:
        return MasterKey(suite, secret)
    length = int(mki_length)
    if not 1 <= length <= _LONGEST_MKI or int(mki) >= 1 << 8 * length:
        return None
    return MasterKey(suite, secret, int(mki).to_bytes(length, "big"))


def _decoded(text: str) -> bytes:
    """Base64; the padding at its end is forgotten by some."""
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return b""


def _is_lifetime(text: str | None) -> bool:
    """Whether it is a number of packets that an SRTP key can have. It binds its sender, not us."""
    if text is None:
        return True
    if text.startswith("2^"):
        return 1 <= int(text[2:]) <= _LONGEST_LIFETIME
    return 1 <= int(text) <= 1 << _LONGEST_LIFETIME
