"""Pages of an Ogg stream (RFC 3533 §6): packets in, bytes out, each page whole by itself."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final

EMPTY_BYTES: Final = 200
"""Headers of an Opus stream of ours, without audio, are smaller than this."""
BEGIN: Final = 2
END: Final = 4
_MOST_SEGMENTS: Final = 255
_LACING: Final = 255
_HEAD: Final = struct.Struct("<4sBBqIII")
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(page: bytes) -> int:
    """The CRC of §6: that of zlib, run over the bits in the other order, and with zeros before and after."""
    reversed_crc = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reversed_crc:032b}"[::-1], 2)


class OggPages:
    """One logical stream; ``serial`` names it."""

    def __init__(self, serial: int) -> None:
        self._serial = serial
        self._number = 0

    def page(self, packets: Sequence[bytes], granule: int, flags: int = 0) -> bytes:
        """A page with these packets, each complete in it; ``granule`` is the position at its end."""
        lacing = bytearray()
        for packet in packets:
            whole, rest = divmod(len(packet), _LACING)
            lacing += bytes([_LACING]) * whole + bytes([rest])
        body = bytes([len(lacing)]) + bytes(lacing) + b"".join(packets)
        head = _HEAD.pack(b"OggS", 0, flags, granule, self._serial, self._number, 0)
        self._number += 1
        crc = checksum(head + body)
        return head[:-4] + struct.pack("<I", crc) + body


def fits(packets: Sequence[bytes]) -> bool:
    """Whether one page holds these packets."""
    return sum(len(packet) // _LACING + 1 for packet in packets) <= _MOST_SEGMENTS
