"""STUN Binding requests on a SIP port: a phone behind NAT asks where it is, and keeps its mapping open.

RFC 8489, RFC 5626 §3.5.2. A server without state: one answer to one request, about as long as the request.
"""

from __future__ import annotations

import ipaddress
import struct
import zlib

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.address import Address

HEADER_BYTES = 20
TRANSACTION_BYTES = 12
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_MAGIC = 0x2112A442
_BINDING_REQUEST, _BINDING_SUCCESS, _BINDING_ERROR = 0x0001, 0x0101, 0x0111
_UNKNOWN_ATTRIBUTES, _ERROR_CODE, _XOR_MAPPED_ADDRESS, _FINGERPRINT = 0x000A, 0x0009, 0x0020, 0x8028
_FINGERPRINT_XOR = 0x5354554E
_OPTIONAL = 0x8000
"""Attribute types from here on may be ignored by whoever does not know them (§14)."""
_IGNORED = frozenset({0x0006, 0x0008, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E, 0x0024, 0x0025})
"""Credentials and ICE: who asks only for an address is answered whatever name it gives."""
_MAX_BYTES = 1_280
"""Far above any Binding request; a stream must not wait for more."""


def is_stun(data: bytes | bytearray) -> bool:
    """The first two bits of a STUN message are zero (§5); no SIP message begins with such a byte."""
    return len(data) > 0 and data[0] < 4


def message_bytes(data: bytes | bytearray) -> int:
    """The size of the message whose header begins ``data``; RemoteProtocolError for one that is none."""
    _type, length, magic, _transaction = _HEADER.unpack_from(data)
    if magic != _MAGIC or length % 4 or length > _MAX_BYTES:
        raise RemoteProtocolError("no STUN message")
    return HEADER_BYTES + int(length)


def binding_request(transaction: bytes) -> bytes:
    """A request that keeps a mapping open and asks whether the other side is there (RFC 5626 §4.4.2)."""
    return _message(_BINDING_REQUEST, transaction, b"", marked=False)


def answered_transaction(data: bytes) -> bytes:
    """The transaction of a Binding request that ``data`` answers, whatever it says; empty for anything else."""
    if len(data) < HEADER_BYTES:
        return b""
    kind, _length, magic, transaction = _HEADER.unpack_from(data)
    is_answer = magic == _MAGIC and kind in (_BINDING_SUCCESS, _BINDING_ERROR)
    return bytes(transaction) if is_answer else b""


def answer_stun(data: bytes, source: Address) -> bytes | None:
    """What a Binding request is answered with; None for anything else, which is owed nothing."""
    try:
        if len(data) < HEADER_BYTES or message_bytes(data) != len(data):
            return None
        kind, _length, _magic, transaction = _HEADER.unpack_from(data)
        attributes = _attributes(data)
    except RemoteProtocolError:
        return None
    marked = _FINGERPRINT in attributes
    if kind != _BINDING_REQUEST or (marked and not _is_genuine(data)):
        return None
    unknown = [name for name in attributes if name < _OPTIONAL and name not in _IGNORED]
    if unknown:
        body = _attribute(_ERROR_CODE, b"\0\0\x04\x14Unknown Attribute")
        body += _attribute(_UNKNOWN_ATTRIBUTES, b"".join(name.to_bytes(2, "big") for name in unknown))
        return _message(_BINDING_ERROR, transaction, body, marked)
    return _message(_BINDING_SUCCESS, transaction, _mapped(source, transaction), marked)


def _attributes(data: bytes) -> list[int]:
    """The types, in order; RemoteProtocolError where one reaches beyond the message."""
    found: list[int] = []
    at = HEADER_BYTES
    while at < len(data):
        name, length = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size + length + (-length % 4)
        if at > len(data):
            raise RemoteProtocolError("a torn STUN attribute")
        found.append(name)
    return found


def _mapped(source: Address, transaction: bytes) -> bytes:
    """XOR-MAPPED-ADDRESS (§14.2): masked, because some NATs rewrite addresses that they see in passing."""
    address = ipaddress.ip_address(source.host)
    mask = _MAGIC.to_bytes(4, "big") + transaction
    host = bytes(one ^ other for one, other in zip(address.packed, mask, strict=False))
    family = 1 if address.version == 4 else 2
    return _attribute(_XOR_MAPPED_ADDRESS, struct.pack("!BBH", 0, family, source.port ^ (_MAGIC >> 16)) + host)


def _attribute(name: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) % 4)


def _message(kind: int, transaction: bytes, body: bytes, marked: bool) -> bytes:
    """With a FINGERPRINT where the request had one; the length that it covers counts it already (§14.7)."""
    length = len(body) + (8 if marked else 0)
    message = _HEADER.pack(kind, length, _MAGIC, transaction) + body
    if not marked:
        return message
    return message + _attribute(_FINGERPRINT, _checksum(message))


def _is_genuine(data: bytes) -> bool:
    """FINGERPRINT is the last attribute and fits what stands before it."""
    name, length = _ATTRIBUTE.unpack_from(data, len(data) - 8)
    return name == _FINGERPRINT and length == 4 and data[-4:] == _checksum(data[:-8])


def _checksum(data: bytes) -> bytes:
    return (zlib.crc32(data) ^ _FINGERPRINT_XOR).to_bytes(4, "big")
