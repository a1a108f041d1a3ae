"""Binding requests are answered with where they came from; everything else is left alone."""

from __future__ import annotations

import zlib

import pytest

from voicegw.sip.address import Address
from voicegw.sip.stun import answer_stun

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
"""Of the test vectors of RFC 5769, as are the two masked addresses below."""
REQUEST = bytes.fromhex("000100002112a442") + TRANSACTION


@pytest.mark.parametrize(
    ("source", "attribute"),
    [
        (Address("192.0.2.1", 32853), "002000080001a147e112a643"),
        (
            Address("2001:db8:1234:5678:11:2233:4455:6677", 32853),
            "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9",
        ),
    ],
)
def test_the_source_address_is_told_masked(source: Address, attribute: str) -> None:
    body = bytes.fromhex(attribute)
    expected = b"\x01\x01" + len(body).to_bytes(2, "big") + REQUEST[4:] + body
    assert answer_stun(REQUEST, source) == expected


def test_a_fingerprint_is_checked_and_given_back() -> None:
    head = b"\x00\x01\x00\x08" + REQUEST[4:]
    mark = (zlib.crc32(head) ^ 0x5354554E).to_bytes(4, "big")
    reply = answer_stun(head + b"\x80\x28\x00\x04" + mark, Address("192.0.2.1", 32853))
    assert reply is not None
    assert reply[-4:] == (zlib.crc32(reply[:-8]) ^ 0x5354554E).to_bytes(4, "big")
    assert reply[2:4] == (len(reply) - 20).to_bytes(2, "big")
    assert answer_stun(head + b"\x80\x28\x00\x04wron", Address("192.0.2.1", 32853)) is None


def test_an_unknown_attribute_that_must_be_understood_is_named() -> None:
    data = b"\x00\x01\x00\x04" + REQUEST[4:] + b"\x00\x33\x00\x00"
    reply = answer_stun(data, Address("192.0.2.1", 1))
    assert reply is not None
    assert reply[:2] == b"\x01\x11"
    assert b"\x00\x00\x04\x14" in reply and reply.endswith(b"\x00\x0a\x00\x02\x00\x33\x00\x00")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x01" + b"\0" * 18,
        b"\x01\x01" + REQUEST[2:],
        b"\x00\x11" + REQUEST[2:],
        REQUEST + b"\0",
        b"\x00\x01\x00\x04" + REQUEST[4:] + b"\x80\x22\xff\xff",
    ],
)
def test_what_is_no_request_is_owed_nothing(data: bytes) -> None:
    assert answer_stun(data, Address("192.0.2.1", 1)) is None
