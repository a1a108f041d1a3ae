from __future__ import annotations

import pytest

from voicegw.base.errors import RemoteProtocolError
from voicegw.rtp.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_compound,
    middle_32,
    parse_compound,
    round_trip_s,
    to_ntp,
)

BLOCK = ReportBlock(0x01020304, 25, -3, 0x10005, 12, 0xAABBCCDD, 65536)


def test_a_compound_packet_survives_the_wire() -> None:
    packets = [
        SenderReport(1, to_ntp(1_700_000_000.5), 160, 10, 1600, (BLOCK,)),
        SourceDescription(1, "abc@voicegw"),
        Bye((1,), "over"),
    ]
    data = build_compound(packets)
    assert len(data) % 4 == 0
    assert parse_compound(data) == packets


def test_receiver_report_and_unknown_types() -> None:
    report = ReceiverReport(9, (BLOCK,))
    application = b"\x80\xcc\x00\x02" + bytes(8)
    assert parse_compound(build_compound([report]) + application) == [report]


@pytest.mark.parametrize("length", [11, 12, 15, 16])
def test_cname_of_any_length_is_padded(length: int) -> None:
    data = build_compound([SourceDescription(1, "x" * length)])
    assert len(data) % 4 == 0
    assert parse_compound(data) == [SourceDescription(1, "x" * length)]


def test_ntp_times() -> None:
    assert to_ntp(0) >> 32 == 2_208_988_800
    assert middle_32(0x11112222_33334444) == 0x22223333


def test_round_trip_of_the_example_in_the_rfc() -> None:
    # RFC 3550 §6.4.1, figure 2: 6.125 s.
    block = ReportBlock(1, 0, 0, 0, 0, last_sr=0xB705_2000, delay_since_sr=0x0005_4000)
    assert round_trip_s(block, 0xB44D_B710_8000_0000 >> 0 & 0xFFFFFFFFFFFF0000) == pytest.approx(6.125)


def test_a_sender_report_of_a_day_ago_wraps_and_its_round_trip_is_right() -> None:
    sent = to_ntp(1_700_000_000.0)
    day = 86_400 * 65536
    (parsed,) = parse_compound(
        build_compound([ReceiverReport(9, (ReportBlock(1, 0, 0, 0, 0, middle_32(sent), day),))])
    )
    assert isinstance(parsed, ReceiverReport)
    assert round_trip_s(parsed.blocks[0], sent + (86_400 << 32) + (1 << 31)) == pytest.approx(0.5)


def test_no_round_trip_without_a_report_of_ours_and_none_below_zero() -> None:
    assert round_trip_s(ReportBlock(1, 0, 0, 0, 0), to_ntp(5)) is None
    late = ReportBlock(1, 0, 0, 0, 0, last_sr=middle_32(to_ntp(5)), delay_since_sr=65536)
    assert round_trip_s(late, to_ntp(5.5)) == 0.0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(8),
        b"\x81\xc8\x00\x06" + bytes(24),  # a block is announced and missing
        b"\x80\xc9\x00\x09" + bytes(4),  # longer than the datagram
        b"\xa0\xc9\x00\x01\x00\x00\x00\xff",  # padding beyond the packet
        b"\x81\xca\x00\x02\x00\x00\x00\x01\x01\xff\x00\x00",  # an SDES item beyond its packet
        b"\x9f\xcb\x00\x01\x00\x00\x00\x01",  # 31 sources in the room of one
    ],
)
def test_torn_packets_are_remote_errors(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_compound(data)
