"""Packet captures in the pcap 2.4 format, with link type RAW: each packet begins with its IP header.

What was taken at a socket has no IP and UDP headers any more, so they are made anew, and what came by TCP or TLS is
one UDP datagram a message. Pcap and not pcapng: everything that reads captures reads it.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

Place = tuple[str, int]
"""Address and port."""
CONTENT_TYPE: Final = "application/vnd.tcpdump.pcap"
LONGEST: Final = 65_000
"""Bytes of a datagram; more is cut off."""
_RAW: Final = 101
_UDP: Final = 17
HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, _RAW)
_RECORD: Final = struct.Struct("<IIII")


def record(wall_us: int, source: Place, target: Place, payload: bytes, size: int = -1) -> bytes:
    """One datagram as it stands in a capture; nothing for addresses that are names or of two families.

    ``wall_us``: Unix time in µs. ``size``: of the payload on the wire, where only its beginning is here.
    """
    payload = payload[:LONGEST]
    size = len(payload) if size < len(payload) else min(size, LONGEST)
    heads = _heads(source, target, size)
    if not heads:
        return b""
    if heads[0] >> 4 == 6:  # its checksum is not optional (RFC 8200 §8.1); of a part there is none
        heads = heads[:46] + _udp_checksum(heads, payload) + heads[48:]
    there = len(heads) + len(payload)
    head = _RECORD.pack(wall_us // 1_000_000, wall_us % 1_000_000, there, len(heads) + size)
    return head + heads + payload


def whole_records(data: bytes, offset: int) -> int:
    """How many of these bytes, from a record's beginning at ``offset`` on, are whole records."""
    end = offset
    while end + _RECORD.size <= len(data):
        length = _RECORD.unpack_from(data, end)[2]
        if end + _RECORD.size + length > len(data):
            break
        end += _RECORD.size + length
    return end - offset


@lru_cache(maxsize=1024)
def _heads(source: Place, target: Place, size: int) -> bytes:
    """The headers of IP and UDP: the same for most packets of a stream."""
    try:
        come, go = _packed(source[0]), _packed(target[0])
    except ValueError:
        return b""
    if len(come) != len(go):
        return b""
    length = 8 + size
    udp = struct.pack("!HHHH", source[1], target[1], length, 0)  # no checksum, as IPv4 allows
    if len(come) == 16:
        return struct.pack("!IHBB16s16s", 6 << 28, length, _UDP, 64, come, go) + udp
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, _UDP, 0, come, go)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp


def _packed(host: str) -> bytes:
    return ip_address(host.strip("[]").partition("%")[0]).packed


def _udp_checksum(heads: bytes, payload: bytes) -> bytes:
    length = int.from_bytes(heads[44:46], "big")
    if length != 8 + len(payload):
        return b"\0\0"
    pseudo = heads[8:40] + struct.pack("!II", length, _UDP)
    return struct.pack("!H", checksum(pseudo + heads[40:] + payload) or 0xFFFF)


def checksum(data: bytes) -> int:
    """Of the internet (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += (data[-1] << 8) * (len(data) % 2)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
