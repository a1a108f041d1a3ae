"""The pcap format, bit by bit; what becomes of whole calls is read by tcpdump in the interop tests."""

from __future__ import annotations

import struct

from voicegw.base.pcap import HEADER, record, whole_records

HERE, THERE = ("192.0.2.1", 4000), ("192.0.2.9", 5000)


def test_a_datagram_of_which_only_the_beginning_was_kept_says_how_long_it_was() -> None:
    made = record(1_700_000_000_250_500, HERE, THERE, b"head", size=172)
    assert struct.unpack("<IIII", made[:16]) == (1_700_000_000, 250_500, 28 + 4, 28 + 172)
    assert struct.unpack("!H", made[18:20]) == (20 + 8 + 172,)  # IP: its length is that of the packet on the wire
    assert struct.unpack("!HHH", made[36:42]) == (4000, 5000, 8 + 172) and made[44:] == b"head"


def test_packets_between_names_or_families_are_none() -> None:
    assert record(0, ("phone.example", 1), THERE, b"x") == b""
    assert record(0, ("2001:db8::1", 1), THERE, b"x") == b""


def test_a_torn_end_is_told_from_whole_records() -> None:
    one, two = record(1, HERE, THERE, b"one"), record(2, HERE, THERE, b"more")
    whole = HEADER + one + two
    for cut in range(len(two)):
        assert whole_records(HEADER + one + two[:cut], len(HEADER)) == len(one)
    assert whole_records(whole, len(HEADER)) == len(one) + len(two)
