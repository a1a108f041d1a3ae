"""The frames of AudioSocket, as Asterisk's channel driver and application speak it.

A frame is one byte of kind, two of length (big-endian) and a payload. The first frame of a connection names it by a
UUID; audio is signed linear PCM of 16 bits, little-endian, mono. Published at
docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket. Pure: bytes in, frames out.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple
from uuid import UUID

from voicegw.base.errors import RemoteProtocolError

_HEADER_BYTES: Final = 3
MOST_PAYLOAD_BYTES: Final = 0xFFFF


class Kind(IntEnum):
    """What a frame is."""

    TERMINATE = 0x00
    ID = 0x01
    KEY = 0x03
    AUDIO = 0x10
    """8 kHz."""
    ERROR = 0xFF


WIDER_AUDIO: Final = range(0x11, 0x19)
"""Kinds of audio at 12 to 192 kHz, which newer versions send where their channel is told to."""


class Frame(NamedTuple):
    """``kind`` may be one that we do not know."""

    kind: int
    payload: bytes = b""

    def to_bytes(self) -> bytes:
        """As it goes over the wire; a payload that is too long is a mistake of ours and raises OverflowError."""
        return bytes((self.kind,)) + len(self.payload).to_bytes(2, "big") + self.payload

    def uuid(self) -> UUID:
        """The name of the connection; RemoteProtocolError for what has not its 16 bytes."""
        if len(self.payload) != 16:
            raise RemoteProtocolError(f"a UUID of {len(self.payload)} bytes")
        return UUID(bytes=self.payload)

    def key(self) -> str:
        """The key that was pressed; RemoteProtocolError for what is none."""
        key = self.payload.decode("latin-1").upper()
        if len(key) != 1 or key not in "0123456789*#ABCD":
            raise RemoteProtocolError(f"a key {self.payload[:8]!r}")
        return key


class FrameReader:
    """Cuts a stream of bytes into frames, however it was torn."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now. What waits for its end is never more than one frame."""
        self._rest += data
        frames, at = [], 0
        while len(self._rest) - at >= _HEADER_BYTES:
            begin = at + _HEADER_BYTES
            end = begin + int.from_bytes(self._rest[at + 1 : begin], "big")
            if end > len(self._rest):
                break
            frames.append(Frame(self._rest[at], bytes(self._rest[begin:end])))
            at = end
        del self._rest[:at]
        return frames
