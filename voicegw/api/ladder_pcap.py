"""The SIP messages of a call as a packet capture, for tools that read nothing else.

What is kept is the messages and their addresses, so the headers of IP and UDP are made anew: whatever the transport
was, each message is one UDP datagram. Messages whose text was not kept are not in it.
The format is pcap 2.4 with link type RAW (each packet begins with its IP header).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from voicegw.api.ladder import Ladder, Step
from voicegw.call.facts import CallWasOffered, Entry

CONTENT_TYPE: Final = "application/vnd.tcpdump.pcap"
_RAW: Final = 101
_UDP: Final = 17
_MOST: Final = 65_000


def began_at(entries: Iterable[Entry]) -> float:
    """The Unix time of the offer, from which positions in a ladder count; 0.0 where it is not told."""
    offers = (entry.data for entry in entries if isinstance(entry.data, CallWasOffered))
    offer = next(offers, None)
    return datetime.fromisoformat(offer.started_at).timestamp() if offer is not None else 0.0


def ladder_pcap(found: Ladder, began: float) -> bytes:
    """The capture; ``began`` is the Unix time of the call's offer."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, _RAW)
    return header + b"".join(_records(found.steps, began))


def _records(steps: Iterable[Step], began: float) -> Iterable[bytes]:
    for step in steps:
        packet = _packet(step) if step.text else b""
        if packet:
            micros = round((began + step.at_ms / 1000) * 1_000_000)
            yield struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(packet), len(packet)) + packet


def _packet(step: Step) -> bytes:
    """One datagram, with its headers; nothing for addresses that are names or of two families."""
    try:
        source, source_port = _place(step.sender_address)
        target, target_port = _place(step.receiver_address)
    except ValueError:
        return b""
    if len(source) != len(target):
        return b""
    payload = step.text.encode()[:_MOST]
    length = 8 + len(payload)
    if len(source) == 4:
        udp = struct.pack("!HHHH", source_port, target_port, length, 0) + payload  # no checksum, as IPv4 allows
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, _UDP, 0, source, target)
        return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + udp
    udp = struct.pack("!HHHH", source_port, target_port, length, 0) + payload
    check = _checksum(source + target + struct.pack("!II", length, _UDP) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack("!H", check) + udp[8:]
    return struct.pack("!IHBB16s16s", 6 << 28, length, _UDP, 64, source, target) + udp


def _place(address: str) -> tuple[bytes, int]:
    """Address and port of HOST:PORT; raises ValueError."""
    host, _, port = address.rpartition(":")
    return ip_address(host.strip("[]").partition("%")[0]).packed, int(port)


def _checksum(data: bytes) -> int:
    """Of the internet (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2])) + (data[-1] << 8) * (
        len(data) % 2
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
