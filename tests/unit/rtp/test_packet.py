from __future__ import annotations

import numpy as np
import pytest

from voicegw.base.errors import RemoteProtocolError
from voicegw.rtp.packet import HeaderExtension, RtpPacket, parse_plain, plain_kind, write_plain


def test_a_packet_as_the_rfc_draws_it() -> None:
    data = bytes.fromhex("80e5fffe 00000320 11223344".replace(" ", "")) + b"abcd"
    packet = RtpPacket.parse(data)
    assert packet == RtpPacket(101, 0xFFFE, 800, 0x11223344, b"abcd", marker=True)
    assert packet.to_bytes() == data


def test_extension_csrc_and_padding_are_taken_off_the_payload() -> None:
    packet = RtpPacket(0, 1, 2, 3, b"audio", csrc=(7, 8), extension=HeaderExtension(0xBEDE, b"\1\2\3\4"), padding=3)
    again = RtpPacket.parse(packet.to_bytes())
    assert again == packet
    assert again.payload == b"audio"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 bytes"),
        (bytes(11), "11 bytes"),
        (b"\x40" + bytes(11), "version 1"),
        (b"\x82" + bytes(15), "CSRC"),
        (b"\x90" + bytes(13), "extension header"),
        (b"\x90" + bytes(11) + b"\0\0\xff\xff", "inside its extension"),
        (b"\xa0" + bytes(11) + b"\0", "padding of 0"),
        (b"\xa0" + bytes(11) + b"\x02", "padding of 2"),
    ],
)
def test_what_is_not_rtp_is_a_remote_error(data: bytes, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        RtpPacket.parse(data)


def test_batches_read_and_write_the_same_headers_as_single_packets() -> None:
    batch = np.zeros((2, 16), np.uint8)
    write_plain(
        batch,
        np.array([0x80, 8], np.uint8),
        np.array([65536 + 5, 9], np.int64),
        np.array([2**32 + 7, 11], np.int64),
        np.array([0xFFFFFFFF, 1], np.int64),
    )
    packets = [RtpPacket.parse(row.tobytes()) for row in batch]
    assert [(p.payload_type, p.marker, p.sequence, p.timestamp, p.ssrc) for p in packets] == [
        (0, True, 5, 7, 0xFFFFFFFF),
        (8, False, 9, 11, 1),
    ]
    head = parse_plain(batch)
    assert head.sequence.tolist() == [5, 9]
    assert head.timestamp.tolist() == [7, 11]
    assert head.ssrc.tolist() == [0xFFFFFFFF, 1]
    assert head.kind.tolist() == [plain_kind(0), plain_kind(8)]


def test_only_plain_packets_have_a_plain_kind() -> None:
    batch = np.zeros((3, 12), np.uint8)
    batch[:, 0] = [0x90, 0x81, 0x40]
    assert not set(parse_plain(batch).kind.tolist()) & {plain_kind(payload_type) for payload_type in range(128)}
