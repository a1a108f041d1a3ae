"""Properties of the RTP layer: symmetry of parse and build, one error type, digits and frames under any loss."""

from __future__ import annotations

import contextlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.errors import RemoteProtocolError
from voicegw.rtp.jitter import JitterBank, JitterLimits
from voicegw.rtp.packet import HeaderExtension, RtpPacket
from voicegw.rtp.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_compound,
    parse_compound,
)
from voicegw.rtp.stats import ReceptionStats
from voicegw.rtp.telephone_event import TelephoneEventReceiver, TelephoneEventSender

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
EXTENSIONS = st.builds(
    HeaderExtension, U16, st.integers(0, 5).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))
)
PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=U16,
    timestamp=U32,
    ssrc=U32,
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    csrc=st.lists(U32, max_size=15).map(tuple),
    extension=st.none() | EXTENSIONS,
    padding=st.integers(0, 255),
)
BLOCKS = st.lists(
    st.builds(ReportBlock, U32, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), U32, U32, U32, U32),
    max_size=3,
).map(tuple)
COMPOUNDS = st.lists(
    st.builds(SenderReport, U32, st.integers(0, 2**64 - 1), U32, U32, U32, BLOCKS)
    | st.builds(ReceiverReport, U32, BLOCKS)
    | st.builds(SourceDescription, U32, st.text(st.characters(codec="ascii"), max_size=40))
    | st.builds(Bye, st.lists(U32, max_size=4).map(tuple), st.text(st.characters(codec="ascii"), max_size=20)),
    min_size=1,
    max_size=4,
).filter(lambda packets: len(build_compound(packets)) >= 8)


@given(PACKETS)
def test_packets_survive_the_wire(packet: RtpPacket) -> None:
    assert RtpPacket.parse(packet.to_bytes()) == packet


@given(st.binary(max_size=80) | st.binary(min_size=11, max_size=60).map(lambda tail: b"\xbf" + tail))
def test_any_datagram_parses_or_is_a_remote_error(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        RtpPacket.parse(data)
    with contextlib.suppress(RemoteProtocolError):
        parse_compound(data)


@given(PACKETS, st.data())
def test_torn_packets_parse_or_are_remote_errors(packet: RtpPacket, data: st.DataObject) -> None:
    wire = packet.to_bytes()
    with contextlib.suppress(RemoteProtocolError):
        RtpPacket.parse(wire[: data.draw(st.integers(0, len(wire)))])


@given(COMPOUNDS)
def test_compounds_survive_the_wire(packets: list[SenderReport | ReceiverReport | SourceDescription | Bye]) -> None:
    assert parse_compound(build_compound(list(packets))) == packets


@given(COMPOUNDS, st.data())
def test_damaged_compounds_parse_or_are_remote_errors(
    packets: list[SenderReport | ReceiverReport | SourceDescription | Bye], data: st.DataObject
) -> None:
    wire = bytearray(build_compound(list(packets)))
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RemoteProtocolError):
        parse_compound(bytes(wire[: data.draw(st.integers(0, len(wire)))]))


@settings(max_examples=60, deadline=None)
@given(
    digits=st.text("0123456789*#ABCD", min_size=1, max_size=4),
    duration_ms=st.integers(40, 400),
    start=U32,
    fates=st.lists(st.sampled_from(["lost", "once", "twice"]), min_size=1, max_size=40),
)
def test_every_press_of_which_anything_arrives_is_one_digit(
    digits: str, duration_ms: int, start: int, fates: list[str]
) -> None:
    sender, receiver = TelephoneEventSender(), TelephoneEventReceiver()
    sender.queue(digits, duration_ms)
    heard, expected = "", ""
    now, place, arrived_from = 0.0, 0, -1
    presses = 0
    while sender.busy:
        packet = sender.next(start + place * 160 & 0xFFFFFFFF)
        now += 0.02
        if packet is not None:
            presses += packet.marker
            for _ in range({"lost": 0, "once": 1, "twice": 2}[fates[place % len(fates)]]):
                if arrived_from != presses:
                    expected += digits[presses - 1]
                    arrived_from = presses
                heard += "".join(d.digit for d in receiver.receive(now, packet.timestamp, packet.payload))
        heard += "".join(d.digit for d in receiver.poll(now))
        place += 1
    heard += "".join(d.digit for d in receiver.poll(now + 1))
    assert heard == expected


@settings(max_examples=60, deadline=None)
@given(
    base=U32,
    first=U16,
    arrivals=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), min_size=1, max_size=120),
)
def test_a_frame_is_played_whole_in_order_and_once(base: int, first: int, arrivals: list[tuple[int, int]]) -> None:
    """Any order, loss and delay: what comes out is some of what went in, in its order, and never twice."""
    rows = np.array([0], np.intp)
    bank, stats = JitterBank(1, 160, JitterLimits(2, 1, 10)), ReceptionStats(1)
    due: dict[int, list[int]] = {}
    for number, delay in arrivals:
        due.setdefault(number + delay, []).append(number)
    out: list[int] = []
    for tick in range(90):
        for number in due.get(tick, []):
            stamp = np.array([(base + number * 160) & 0xFFFFFFFF], np.int64)
            reception = stats.update(rows, np.array([(first + number) & 0xFFFF], np.int64), stamp, tick * 160)
            packet = np.full((1, 172), number, np.uint8)
            bank.insert(rows, stamp, packet, 12, np.array([160], np.int64), reception)
        pulled = bank.pull(rows)
        adapted = bank.adapt(rows, np.array([-90.0 if tick % 2 else -20.0], np.float32), 20)
        if adapted is not None and len(adapted.longer):
            bank.stand(rows)
        if pulled.present.any():
            assert pulled.present.all()
            assert len(set(pulled.codes[0].tolist())) == 1
            out.append(int(pulled.codes[0, 0]))
    assert out == sorted(set(out))
    assert set(out) <= {number for number, _ in arrivals}
