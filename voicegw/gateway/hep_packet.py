"""One SIP message for Homer: an HEP (EEP) version 3 packet.

The header is ``HEP3`` and the length of all; then come chunks, each with vendor, type and its own length, all of
them big-endian. Vendor 0 and these types are what every collector reads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from voicegw.sip.address import Address, Transport

_INET, _INET6 = 2, 10
_UDP, _TCP = 17, 6
_SIP: Final = 1
_CHUNK: Final = struct.Struct("!HHH")
_HEAD: Final = struct.Struct("!4sH")
_NUMBERS: Final = struct.Struct("!HHHB HHHB HHHH HHHH HHHI HHHI HHHB HHHI".replace(" ", ""))
MOST_BYTES: Final = 64_000
"""Of a message: a datagram, and the length in the header, have no room for more with all the chunks."""


@dataclass(frozen=True, slots=True)
class HepIdentity:
    """Who captures: ``capture_id`` is a number of the operator's choice, ``password`` what the collector wants."""

    capture_id: int
    password: bytes = b""


def hep_packet(
    identity: HepIdentity, source: Address, destination: Address, wall: float, call_id: str, message: bytes
) -> bytes:
    """The packet; ``wall`` is Unix time. Raises ValueError for addresses that are names and what is too long."""
    if len(message) > MOST_BYTES:
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
        *(0, 11, 7, _SIP),
        *(0, 12, 10, identity.capture_id),
    )
    chunks = [numbers, _chunk(3 if v4 else 5, come.packed), _chunk(4 if v4 else 6, go.packed)]
    if identity.password:
        chunks.append(_chunk(14, identity.password))
    chunks += [_chunk(17, call_id.encode()), _chunk(15, message)]
    body = b"".join(chunks)
    return _HEAD.pack(b"HEP3", _HEAD.size + len(body)) + body


def _chunk(kind: int, value: bytes) -> bytes:
    return _CHUNK.pack(0, kind, _CHUNK.size + len(value)) + value
