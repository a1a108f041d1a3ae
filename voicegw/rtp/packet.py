"""RTP packets, RFC 3550 §5.1: one at a time for what is unusual, whole batches for what is not.

The media worker reads plain headers (no padding, extension or CSRC) of all legs at once with
:func:`parse_plain`; everything else goes through :class:`RtpPacket`, which knows every field.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import RemoteProtocolError

HEADER_BYTES = 12
PLAIN_FIRST_BYTE = 0x80
"""Version 2, no padding, no extension, no CSRC."""

_HEADER = struct.Struct(">BBHII")
_EXTENSION = struct.Struct(">HH")
_U32 = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """One header extension (RFC 3550 §5.3.1); ``data`` is a multiple of 4 bytes."""

    profile: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet. ``padding`` is the number of padding bytes after the payload, 0 for none."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: HeaderExtension | None = None
    padding: int = 0

    def to_bytes(self) -> bytes:
        """The packet on the wire."""
        first = 0x80 | (0x20 if self.padding else 0) | (0x10 if self.extension else 0) | len(self.csrc)
        second = (0x80 if self.marker else 0) | self.payload_type
        parts = [_HEADER.pack(first, second, self.sequence, self.timestamp, self.ssrc)]
        parts.extend(_U32.pack(source) for source in self.csrc)
        if self.extension:
            parts.append(_EXTENSION.pack(self.extension.profile, len(self.extension.data) // 4))
            parts.append(self.extension.data)
        parts.append(self.payload)
        if self.padding:
            parts.append(bytes(self.padding - 1) + bytes([self.padding]))
        return b"".join(parts)

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read one datagram; raises :class:`RemoteProtocolError` and nothing else."""
        if len(data) < HEADER_BYTES:
            raise RemoteProtocolError(f"RTP packet of {len(data)} bytes")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise RemoteProtocolError(f"RTP version {first >> 6}")
        start = HEADER_BYTES + 4 * (first & 15)
        if start > len(data):
            raise RemoteProtocolError("RTP packet ends inside its CSRC list")
        csrc = struct.unpack_from(f">{first & 15}I", data, HEADER_BYTES)
        extension = None
        if first & 0x10:
            extension, start = _parse_extension(data, start)
        padding = _padding(data, start) if first & 0x20 else 0
        return cls(
            payload_type=second & 0x7F,
            sequence=sequence,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=data[start : len(data) - padding],
            marker=bool(second & 0x80),
            csrc=csrc,
            extension=extension,
            padding=padding,
        )


def _parse_extension(data: bytes, start: int) -> tuple[HeaderExtension, int]:
    """The extension at ``start`` and where the payload begins."""
    if start + _EXTENSION.size > len(data):
        raise RemoteProtocolError("RTP packet ends inside its extension header")
    profile, words = _EXTENSION.unpack_from(data, start)
    begin = start + _EXTENSION.size
    end = begin + 4 * words
    if end > len(data):
        raise RemoteProtocolError("RTP packet ends inside its extension")
    return HeaderExtension(profile, data[begin:end]), end


def _padding(data: bytes, start: int) -> int:
    """The padding length, which its last byte counts, itself included (RFC 3550 §5.1)."""
    count = data[-1]
    if count == 0 or count > len(data) - start:
        raise RemoteProtocolError(f"RTP padding of {count} bytes")
    return count


_KIND_MASK = 0xFF7F


def plain_kind(payload_type: int) -> int:
    """What :attr:`HeaderFields.kind` is for plain packets of a payload type: the first two bytes but the marker."""
    return PLAIN_FIRST_BYTE << 8 | payload_type


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """The headers of a batch of packets, one array element a packet.

    ``kind`` is :func:`plain_kind` of the payload type for a plain packet, whatever its marker, and something else
    for any other.
    """

    kind: NDArray[np.int64]
    sequence: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    ssrc: NDArray[np.int64]


def parse_plain(packets: NDArray[np.uint8]) -> HeaderFields:
    """Read the headers of ``packets`` (n, at least 12 bytes)."""
    words = np.ascontiguousarray(packets[:, :HEADER_BYTES]).view(">u4").astype(np.int64)
    first = words[:, 0]
    return HeaderFields(
        kind=first >> 16 & _KIND_MASK,
        sequence=first & 0xFFFF,
        timestamp=words[:, 1],
        ssrc=words[:, 2],
    )


def write_plain(
    packets: NDArray[np.uint8],
    second_byte: NDArray[np.uint8],
    sequence: NDArray[np.int64],
    timestamp: NDArray[np.int64],
    ssrc: NDArray[np.int64],
) -> None:
    """Write plain headers into the first 12 bytes of each row; ``second_byte`` is marker and payload type.

    Numbers may run past their width: only their low bits go out.
    """
    head = np.empty((len(packets), 3), ">u4")
    head[:, 0] = (PLAIN_FIRST_BYTE << 24) | (second_byte.astype(np.int64) << 16) | (sequence & 0xFFFF)
    head[:, 1] = timestamp & 0xFFFFFFFF
    head[:, 2] = ssrc
    packets[:, :HEADER_BYTES] = head.view(np.uint8)
