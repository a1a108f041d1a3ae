"""One SIP message, or one report on audio, for Homer: an HEP (EEP) version 3 packet.

The header is ``HEP3`` and the length of all; then come chunks, each with vendor, type and its own length, all of
them big-endian. Vendor 0 and these types are what every collector reads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from typing import Final

from voicegw.sip.address import Address, Transport

_INET, _INET6 = 2, 10
_UDP, _TCP = 17, 6
_CHUNK: Final = struct.Struct("!HHH")
_HEAD: Final = struct.Struct("!4sH")
_NUMBERS: Final = struct.Struct("!HHHB HHHB HHHH HHHH HHHI HHHI HHHB HHHI".replace(" ", ""))
MOST_BYTES: Final = 64_000
"""Of a message and its Call-ID: a datagram, and the length in the header, have no room for more with all chunks."""


@dataclass(frozen=True, slots=True)
class HepIdentity:
    """Who captures: ``capture_id`` is a number of the operator's choice, ``password`` what the collector wants."""

    capture_id: int
    password: bytes = b""


class HepKind(IntEnum):
    """What is in a packet, by the numbers of the protocol."""

    SIP = 1
    RTCP = 5
    """A report of RTCP as JSON."""
    RTP_SUMMARY = 34
    """What one side counted of an RTP stream, as JSON."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What passed between two addresses at ``wall``, Unix time, in the call with this Call-ID."""

    source: Address
    destination: Address
    wall: float
    call_id: str
    message: bytes
    kind: HepKind = HepKind.SIP


def hep_packet(identity: HepIdentity, captured: Captured) -> bytes:
    """The packet. Raises ValueError for addresses that are names and what is too long."""
    source, destination, wall = captured.source, captured.destination, captured.wall
    call_id = captured.call_id.encode()
    if len(captured.message) + len(call_id) > MOST_BYTES:
        raise ValueError("too long for HEP")
    come, go = ip_address(source.host.partition("%")[0]), ip_address(destination.host.partition("%")[0])
    if come.version != go.version:
        raise ValueError("one address of each family")
    v4 = come.version == 4
    seconds = int(wall)
    numbers = _NUMBERS.pack(
        *(0, 1, 7, _INET if v4 else _INET6),
        *(0, 2, 7, _UDP if source.transport is Transport.UDP else _TCP),
        *(0, 7, 8, source.port),
        *(0, 8, 8, destination.port),
        *(0, 9, 10, seconds),
        *(0, 10, 10, int((wall - seconds) * 1_000_000)),
        *(0, 11, 7, captured.kind),
        *(0, 12, 10, identity.capture_id),
    )
    chunks = [numbers, _chunk(3 if v4 else 5, come.packed), _chunk(4 if v4 else 6, go.packed)]
    if identity.password:
        chunks.append(_chunk(14, identity.password))
    chunks += [_chunk(17, call_id), _chunk(15, captured.message)]
    body = b"".join(chunks)
    return _HEAD.pack(b"HEP3", _HEAD.size + len(body)) + body


def _chunk(kind: int, value: bytes) -> bytes:
    return _CHUNK.pack(0, kind, _CHUNK.size + len(value)) + value
