"""Sealed recordings, byte for byte: the header, the wrapped data keys and the nonces of the chunks.

::

    fixed part   8 magic · 4 chunk bytes · 4 sample rate · 1 channels · 1 recipients · 2 content · 16 file id   (36)
    recipient    8 key id · 32 X25519 ephemeral key · 1088 ML-KEM ciphertext · 48 wrapped data key    (1176 each)
    chunks       chunk bytes of the content sealed with AES-256-GCM, 16 bytes of tag each, the last one shorter

Integers are big-endian. The chunks follow the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár (2015):
the nonce is the chunk's number and a flag for the last one, so that chunks which are cut off, removed, repeated or
exchanged do not open. All of it is explained in ``docs/privacy.md``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voicegw.base.errors import LocalError
from voicegw.recording.seal_kem import Wrapped

MAGIC: Final = b"VGWSEAL1"
FIXED_BYTES: Final = 36
TAG_BYTES: Final = 16
KEY_BYTES: Final = 32
FILE_ID_BYTES: Final = 16
CHUNK_BYTES: Final = 16384
"""Half a second of stereo: what a kill may lose, since a chunk is sealed only when it is full. Larger ones would
lose more, smaller ones cost more (7 µs each, of which 5 are the call)."""
OGG_CHUNK_BYTES: Final = 2048
"""The same half second of Opus at 32 kbit/s."""
PCAP_CHUNK_BYTES: Final = 4096
"""Some twenty packets of G.711."""
MAX_CHUNK_BYTES: Final = 1 << 20
SAMPLE_BYTES: Final = 2
_FIXED: Final = struct.Struct(">8sIIBBH16s")
_NONCE: Final = struct.Struct(">7xIB")
MAX_RECIPIENTS: Final = 255
MAX_HEADER_BYTES: Final = FIXED_BYTES + MAX_RECIPIENTS * Wrapped.SIZE


class Content(IntEnum):
    """What the chunks hold."""

    PCM = 0
    """16-bit samples of all channels in turn; readers get a WAV file."""
    OGG = 1
    """The bytes of an Ogg file with Opus (RFC 7845)."""
    PCAP = 2
    """Those of a packet capture; rate and channels mean nothing."""


class SealError(LocalError):
    """A sealed recording cannot be opened."""


class SealDamaged(SealError):
    """The file is no sealed recording, or somebody or something changed it."""


class SealKeyMissing(SealError):
    """None of the private keys at hand opens it."""


@dataclass(frozen=True, slots=True)
class SealHeader:
    """The start of a sealed file."""

    file_id: bytes
    recipients: tuple[Wrapped, ...]
    rate: int
    channels: int
    chunk_bytes: int = CHUNK_BYTES
    content: Content = Content.PCM

    @property
    def fixed(self) -> bytes:
        """The part that every chunk and wrapped key vouches for; the recipients are not in it: they may change."""
        return self._packed(0)

    def to_bytes(self) -> bytes:
        """The whole header."""
        return self._packed(len(self.recipients)) + b"".join(wrapped.to_bytes() for wrapped in self.recipients)

    def _packed(self, count: int) -> bytes:
        return _FIXED.pack(MAGIC, self.chunk_bytes, self.rate, self.channels, count, self.content, self.file_id)

    @property
    def size(self) -> int:
        """Its length in bytes: where the first chunk begins."""
        return FIXED_BYTES + len(self.recipients) * Wrapped.SIZE

    @property
    def frame_bytes(self) -> int:
        """Of one sample of all channels."""
        return self.channels * SAMPLE_BYTES


def parse_header(data: bytes) -> SealHeader:
    """Read a header at the start of ``data``; raises SealDamaged."""
    if not is_sealed(data) or len(data) < FIXED_BYTES:
        raise SealDamaged("not a sealed recording")
    _, chunk, rate, channels, count, content, file_id = _FIXED.unpack_from(data)
    if content not in tuple(Content) or not 1 <= channels <= 8 or not rate or not 0 < chunk <= MAX_CHUNK_BYTES:
        raise SealDamaged("the header of the sealed recording is damaged")
    if chunk % (channels * SAMPLE_BYTES) or len(data) < FIXED_BYTES + count * Wrapped.SIZE:
        raise SealDamaged("the header of the sealed recording is damaged")
    places = range(FIXED_BYTES, FIXED_BYTES + count * Wrapped.SIZE, Wrapped.SIZE)
    recipients = tuple(Wrapped.from_bytes(data[at : at + Wrapped.SIZE]) for at in places)
    return SealHeader(file_id, recipients, rate, channels, chunk, Content(content))


def is_sealed(data: bytes) -> bool:
    """Whether a file that begins like this is a sealed recording."""
    return data[: len(MAGIC)] == MAGIC


class ChunkCipher:
    """Seals and opens the chunks of one file. A data key is used for one file and never for another."""

    def __init__(self, data_key: bytes, header: SealHeader) -> None:
        self._aead = AESGCM(data_key)
        self._fixed = header.fixed

    def seal(self, number: int, plain: bytes, *, last: bool) -> bytes:
        """Chunk ``number``, counted from 0. The same number and ``last`` must never seal two different chunks."""
        return self._aead.encrypt(_NONCE.pack(number, last), plain, self._fixed)

    def open(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        """The inverse of :meth:`seal`; raises SealDamaged for any chunk but exactly that one."""
        try:
            return self._aead.decrypt(_NONCE.pack(number, last), sealed, self._fixed)
        except InvalidTag:
            raise SealDamaged(f"chunk {number} of the sealed recording was changed") from None
