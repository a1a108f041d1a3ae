"""Takes a capture apart, as a reader of its own: addresses, ports, payload and how long the packet was."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path


@dataclass(frozen=True)
class Datagram:
    """``size``: of the payload on the wire."""

    at_us: int
    source: tuple[str, int]
    target: tuple[str, int]
    payload: bytes
    size: int


def read_pcap(data: bytes | Path) -> list[Datagram]:
    """All UDP datagrams over IPv4, in the order of the file."""
    data = data if isinstance(data, bytes) else data.read_bytes()
    magic, *_, link = struct.unpack("<IHHiIII", data[:24])
    assert (magic, link) == (0xA1B2C3D4, 101)
    found, at = [], 24
    while at < len(data):
        seconds, micros, length, wire = struct.unpack("<IIII", data[at : at + 16])
        packet = data[at + 16 : at + 16 + length]
        assert len(packet) == length and packet[0] == 0x45 and packet[9] == 17
        ports = struct.unpack("!HH", packet[20:24])
        source, target = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
        payload = packet[28:]
        moment = seconds * 1_000_000 + micros
        found.append(Datagram(moment, (source, ports[0]), (target, ports[1]), payload, wire - 28))
        at += 16 + length
    return found
