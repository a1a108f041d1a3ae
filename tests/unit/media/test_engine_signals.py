"""Ports, latching, digits, RTCP, timeouts and hostile packets of the engine."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from tests.unit.media.rig import SERVER_IP, Peer, Rig, tone
from voicegw.base.ids import CallId, LegId
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.rtp.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    build_compound,
    middle_32,
    parse_compound,
    to_ntp,
)
from voicegw.rtp.telephone_event import TelephoneEvent

EVIL = ("203.0.113.66", 6666)


def closed(rig: Rig, leg_id: str) -> m.LegStats:
    rig.do(m.CloseLeg(LegId(leg_id)))
    return rig.of(m.LegClosed)[-1].stats


def press(rig: Rig, peer: Peer, digit: int, *, ends: int = 3, updates: int = 4) -> None:
    start = peer.timestamp
    for number in range(updates + ends):
        end = number >= updates
        duration = 160 * min(number + 1, updates + 1)
        packet = peer.packet(TelephoneEvent(digit, end, 10, duration).to_bytes(), 101, marker=number == 0)
        peer.send_raw(packet.to_bytes())
        rig.tick()
    peer.timestamp = (start + 160 * (updates + ends)) & 0xFFFFFFFF


def test_the_sdp_address_latches_with_its_first_packet() -> None:
    rig = Rig()
    peer = rig.open("a")
    peer.say_tone(400)
    rig.tick()
    latched = rig.of(m.MediaLatched)
    assert [(e.remote_ip, e.remote_port) for e in latched] == [peer.address]


def test_audio_moves_to_the_latched_source_and_not_to_a_stranger() -> None:
    rig = Rig()
    peer = rig.open("a", remote_ip="10.9.9.9", remote_port=7000)
    for _ in range(4):
        peer.say_tone(400)
        peer.send_raw(Peer(rig, "evil", 0, EVIL).packet(bytes(160)).to_bytes(), EVIL)
        rig.tick()
    assert not rig.of(m.MediaLatched) and not peer.packets
    assert len(rig.network.outbox[("10.9.9.9", 7000)]) == 4
    peer.say_tone(400)
    rig.tick(2)
    assert rig.of(m.MediaLatched)[0].remote_ip == peer.address[0]
    assert len(peer.packets) == 2
    assert not rig.network.outbox[EVIL]


def test_injected_audio_is_dropped_and_counted() -> None:
    rig = Rig()
    peer = rig.open("a")
    rig.mix(("a", "a"))
    forger = Peer(rig, "forger", peer.server[1], EVIL)
    for _ in range(30):
        peer.say(np.zeros(160, np.int16))
        forger.say(tone(400))
        forged = forger.packet(bytes(160)).to_bytes()
        peer.send_raw(forged)  # the right address with another SSRC
        rig.tick()
    assert not peer.heard().any()
    assert closed(rig, "a").packets_rejected == 60
    assert rig.engine.counters.get("rtp_wrong_source") == 60


def test_a_new_ssrc_of_the_same_peer_is_followed() -> None:
    rig = Rig()
    peer = rig.open("a")
    rig.mix(("a", "a"))
    for _ in range(20):
        peer.say_tone(400)
        rig.tick()
    peer.ssrc, peer.sequence, peer.timestamp = 77, 5, 5
    for _ in range(20):
        peer.say_tone(1000)
        rig.tick()
    heard = peer.heard()[-1600:]
    assert np.abs(heard).max() > 7000
    assert closed(rig, "a").packets_lost == 0


def test_a_stream_is_what_it_is_whatever_others_send() -> None:
    """One leg has loss, digits, another packet time and silence; the other none of it, and loses nothing by it."""
    rig = Rig()
    steady, wild = rig.open("a", "one"), rig.open("b", "two")
    rig.mix(("a", "a"), call_id="one")
    for number in range(200):
        steady.say_tone(400)
        if number % 50 == 20:
            press(rig, wild, number % 10, updates=0, ends=1)
            continue
        if number % 7 and not 100 < number < 120:
            wild.say_tone(500, 80 if number % 3 else 160)
        rig.tick()
    steady_stats, wild_stats = closed(rig, "a"), closed(rig, "b")
    assert (steady_stats.packets_received, steady_stats.packets_lost) == (200, 0)
    assert steady_stats.concealed_samples == 0 and steady_stats.packets_late == 0
    assert wild_stats.packets_lost == 0 and len(rig.of(m.DtmfReceived)) == 4
    heard = steady.heard()[-160 * 190 :]
    assert np.abs(np.diff(heard)).max() < 3000  # a tone of 400 Hz without a break


def test_rubbish_is_counted_and_nothing_else() -> None:
    rig = Rig()
    peer = rig.open("a")
    rig.mix(("a", "a"))
    numbers = random.Random(3)
    torn = [
        b"",
        b"\x80",
        bytes(11),
        b"\x90" + bytes(13),
        bytes(5000),
        b"\x80\x60" + bytes(10),
        b"\xa0\x00" + bytes(10),
    ]
    for number in range(60):
        peer.say_tone(400)
        peer.send_raw(torn[number % len(torn)])
        peer.send_raw(numbers.randbytes(numbers.randrange(1, 1500)))
        peer.send_raw(numbers.randbytes(200), EVIL)
        rig.tick()
    stats = closed(rig, "a")
    assert stats.packets_received == 60
    assert stats.packets_lost == 0
    assert stats.packets_rejected == 180


def test_padding_extension_and_csrc_are_understood() -> None:
    rig = Rig()
    peer = rig.open("a")
    rig.mix(("a", "a"))
    for number in range(20):
        packet = peer.packet(bytes([number]) * 160)
        peer.timestamp = (peer.timestamp + 160) & 0xFFFFFFFF
        data = packet.to_bytes()
        header = bytes([0xB1]) + data[1:12] + b"\0\0\0\7" + b"\xbe\xde\0\1abcd"
        peer.send_raw(header + data[12:] + b"\0\0\0\4")
        rig.tick()
    assert [p.payload[0] for p in peer.packets[2:]] == list(range(18))
    assert closed(rig, "a").packets_rejected == 0


def test_a_flood_on_one_leg_is_bounded_each_tick() -> None:
    rig = Rig()
    peer, other = rig.open("a"), rig.open("b")
    rig.mix(("b", "b"))
    for _ in range(500):
        peer.send_raw(bytes(200), EVIL)
    for _ in range(10):
        other.say_tone(400)
        rig.tick()
    assert np.abs(other.heard()[800:]).max() > 7000
    assert rig.engine.counters.get("rtp_malformed") == 60


def test_packets_before_the_answer_are_not_heard() -> None:
    rig = Rig()
    rig.do(m.OpenLeg(LegId("a"), CallId("call"), SERVER_IP))
    peer = Peer(rig, "a", rig.of(m.LegOpened)[0].port, ("192.0.2.9", 20002))
    peer.say_tone(400)
    rig.tick()
    assert rig.engine.counters.get("rtp_unexpected") == 1
    assert closed(rig, "a").packets_sent == 0


def test_a_closed_port_drains_before_it_is_used_again() -> None:
    rig = Rig(MediaConfig(max_legs=4, port_low=20000, port_high=20001, draining_s=1.0))
    peer = rig.open("a")
    closed(rig, "a")
    peer.say_tone(400)
    rig.do(m.OpenLeg(LegId("b"), CallId("call"), SERVER_IP))
    assert "1 draining" in rig.of(m.LegFailed)[0].reason
    rig.tick(80)
    fresh = rig.open("c")
    assert fresh.server == peer.server
    rig.tick()
    assert closed(rig, "c").packets_rejected == 0


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"remote_port": 99999}, "99999"),
        ({"remote_ip": "nowhere"}, "nowhere"),
        ({"codec": "G729"}, "G729"),
        ({"ptime_ms": 25}, "25 ms"),
    ],
)
def test_what_cannot_be_configured_fails_with_a_reason(settings: dict[str, object], why: str) -> None:
    rig = Rig()
    rig.open("a", **settings)
    assert why in rig.of(m.LegFailed)[0].reason
    rig.tick(2)
    assert not rig.network.outbox


def test_a_hold_by_address_zero_is_a_hold() -> None:
    rig = Rig()
    peer = rig.open("a")
    rig.configure(peer, remote_ip="0.0.0.0", send=False)
    rig.tick(2)
    assert not rig.of(m.LegFailed) and not peer.packets
    peer.say_tone(400)
    rig.tick()
    assert rig.of(m.MediaLatched)


def test_silence_is_told_each_span_and_not_on_hold() -> None:
    rig = Rig(MediaConfig(max_legs=4, no_media_timeout_ms=1000))
    peer = rig.open("a")
    rig.tick(160)
    spans = [event.silent_ms // 1000 for event in rig.of(m.MediaTimedOut)]
    assert spans == [1, 2, 3]
    peer.say_tone(400)
    rig.tick(30)
    assert len(rig.of(m.MediaTimedOut)) == 3
    rig.configure(peer, receive=False)
    rig.tick(200)
    assert len(rig.of(m.MediaTimedOut)) == 3


def test_comfort_noise_and_rtcp_keep_a_silent_leg_alive() -> None:
    rig = Rig(MediaConfig(max_legs=4, no_media_timeout_ms=1000))
    peer = rig.open("a")
    for number in range(10):
        if number % 2:
            peer.send_raw(peer.packet(b"\x40", 13).to_bytes())
        else:
            report = build_compound([ReceiverReport(peer.ssrc)])
            rig.network.deliver(report, peer.address, (SERVER_IP, peer.server[1] + 1))
        rig.tick(30)
    assert not rig.of(m.MediaTimedOut)


def test_digits_are_heard_once_each() -> None:
    rig = Rig()
    peer = rig.open("a")
    peer.say_tone(400)
    rig.tick()
    for digit, ends in ((1, 3), (1, 1), (11, 5)):
        press(rig, peer, digit, ends=ends)
        rig.tick(3)
    assert [event.digit for event in rig.of(m.DtmfReceived)] == ["1", "1", "#"]
    assert [event.duration_ms for event in rig.of(m.DtmfReceived)] == [100, 100, 100]


def test_a_digit_without_its_end_is_heard_soon_and_at_the_latest_when_the_leg_ends() -> None:
    rig = Rig()
    peer = rig.open("a")
    press(rig, peer, 2, ends=0)
    rig.tick(12)
    assert [event.digit for event in rig.of(m.DtmfReceived)] == ["2"]
    press(rig, peer, 3, ends=0)
    closed(rig, "a")
    assert [event.digit for event in rig.of(m.DtmfReceived)] == ["2", "3"]


def test_sent_digits_replace_the_audio_and_the_agent_waits_meanwhile() -> None:
    rig = Rig()
    peer = rig.open("a")
    rig.mix(("agent", "a"))
    rig.tick(2)
    rig.do(m.SendDtmf(LegId("a"), "5#", 100), m.SendDtmf(LegId("a"), "1", 40))
    rig.do(m.QueueAudio(CallId("call"), "u", tone(400, 320).tobytes(), final=True))  # type: ignore[arg-type]
    rig.tick(60)
    keys = [p for p in peer.packets if p.payload_type == 101]
    events = [TelephoneEvent.parse(p.payload).event for p in keys if p.marker]
    assert events == [5, 11, 1]
    assert len({p.timestamp for p in keys}) == 3
    sequences = [p.sequence for p in peer.packets]
    assert {(b - a) & 0xFFFF for a, b in pairwise(sequences)} == {1}
    assert [event.digits for event in rig.of(m.DtmfSent)] == ["5#", "1"]
    assert rig.of(m.PlayoutFinished)[0].sent_samples == 320


def test_digits_that_cannot_be_sent_are_answered() -> None:
    rig = Rig()
    rig.open("a", dtmf_payload_type=-1)
    rig.open("b")
    rig.do(m.SendDtmf(LegId("a"), "1"), m.SendDtmf(LegId("b"), "1x"), m.SendDtmf(LegId("b"), ""))
    assert [event.digits for event in rig.of(m.DtmfSent)] == ["", "", ""]
    rig.tick(3)


def rtcp_of(rig: Rig, peer: Peer) -> list[list[object]]:
    outbox = rig.network.outbox[(peer.address[0], peer.address[1] + 1)]
    return [list(parse_compound(data)) for data in outbox]


def test_reports_go_out_come_in_and_say_goodbye() -> None:
    rig = Rig(MediaConfig(max_legs=4, rtcp_interval_ms=1000))
    peer = rig.open("a")
    for _ in range(100):
        peer.say_tone(400)
        rig.tick()
    report = rtcp_of(rig, peer)[-1][0]
    assert isinstance(report, SenderReport)
    assert report.packets > 20
    assert report.blocks[0].ssrc == peer.ssrc
    our_ssrc = peer.packets[0].ssrc
    arrived = to_ntp(rig.clock.wall())
    block = ReportBlock(our_ssrc, 0, 7, 0, 0, middle_32(arrived) - 65536 // 4, 65536 // 8)
    data = build_compound([SenderReport(peer.ssrc, arrived, 0, 1, 1, (block,)), Bye((peer.ssrc,))])
    server = (SERVER_IP, peer.server[1] + 1)
    rig.network.deliver(data, EVIL, server)
    reporter = (peer.address[0], peer.address[1] + 1)
    rig.network.deliver(data, reporter, server)
    rig.network.deliver(b"\x80\xc8\0\6", reporter, server)
    rig.tick(20)
    assert rig.engine.counters.get("rtcp_wrong_source") == 1
    assert rig.engine.counters.get("rtcp_malformed") == 1
    assert rig.engine.counters.get("rtcp_byes") == 1
    stats = closed(rig, "a")
    assert stats.peer_lost == 7
    assert 100 < stats.round_trip_ms < 400
    assert isinstance(rtcp_of(rig, peer)[-1][-1], Bye)


def report_of(peer: Peer, *packets: RtcpPacket) -> bytes:
    return build_compound([ReceiverReport(peer.ssrc), *packets])


def test_reports_go_where_the_description_says() -> None:
    rig = Rig(MediaConfig(max_legs=4, rtcp_interval_ms=1000))
    rig.open("a", rtcp_ip="192.0.2.33", rtcp_port=7777)
    rig.tick(100)
    assert rig.network.outbox[("192.0.2.33", 7777)]


def test_reports_share_the_port_of_the_audio_where_that_was_agreed() -> None:
    rig = Rig(MediaConfig(max_legs=4, rtcp_interval_ms=1000))
    peer = rig.open("a", rtcp_mux=True)
    rig.mix(("a", "a"))
    for number in range(100):
        peer.say_tone(400)
        if number % 10 == 5:
            peer.send_raw(report_of(peer))
        rig.tick()
    assert not rtcp_of(rig, peer)
    reports = [data for data in rig.network.outbox[peer.address] if 192 <= data[1] <= 223]
    assert isinstance(parse_compound(reports[0])[0], SenderReport)
    stats = closed(rig, "a")
    assert stats.packets_rejected == 0
    assert stats.packets_received == 100
    assert stats.concealed_samples == 0


def test_reports_are_locked_to_their_source_until_it_is_silent() -> None:
    rig = Rig(MediaConfig(max_legs=4, rtcp_interval_ms=1000))
    peer = rig.open("a")
    server, behind_nat = (SERVER_IP, peer.server[1] + 1), (peer.address[0], 55555)
    rig.network.deliver(report_of(peer), behind_nat, server)
    rig.tick(11)
    rig.network.deliver(report_of(peer), (peer.address[0], 44444), server)
    rig.tick(100)
    assert rig.engine.counters.get("rtcp_wrong_source") == 1
    assert rig.network.outbox[behind_nat], "answers go where the reports come from (RFC 4961)"
    rig.tick(300)
    rig.network.deliver(report_of(peer), (peer.address[0], 44444), server)
    rig.tick(11)
    assert rig.engine.counters.get("rtcp_wrong_source") == 1


def test_nothing_is_missed_of_a_source_that_said_goodbye() -> None:
    rig = Rig()
    peer = rig.open("a")
    rig.mix(("a", "a"))
    for _ in range(50):
        peer.say_tone(400)
        rig.tick()
    place = (SERVER_IP, peer.server[1] + 1)
    rig.network.deliver(report_of(peer, Bye((12345,))), (peer.address[0], peer.address[1] + 1), place)
    rig.network.deliver(report_of(peer, Bye((peer.ssrc,))), (peer.address[0], peer.address[1] + 1), place)
    rig.tick(100)
    assert rig.engine.counters.get("rtcp_byes") == 2
    for _ in range(50):
        peer.say_tone(400)  # it thought better of it
        rig.tick()
    stats = closed(rig, "a")
    assert stats.packets_received == 100
    assert stats.concealed_samples <= 10 * 160, "only until the goodbye was read"


def test_a_report_is_due_before_the_new_far_end_has_spoken() -> None:
    rig = Rig(MediaConfig(max_legs=4, rtcp_interval_ms=1000))
    peer = rig.open("a")
    for _ in range(20):
        peer.say_tone(400)
        rig.tick()
    rig.configure(peer, remote_ip="192.0.2.44")
    rig.tick(150)
    report = parse_compound(rig.network.outbox[("192.0.2.44", peer.address[1] + 1)][0])[0]
    assert isinstance(report, SenderReport)
    assert report.blocks == ()


def test_how_a_leg_stands_is_told_to_who_asks() -> None:
    rig = Rig(MediaConfig(max_legs=4))
    peer = rig.open("a")
    rig.tick(30)
    rig.do(m.ProbeLeg(LegId("a")))
    rig.tick()
    silent = rig.of(m.LegProbed)[-1]
    assert silent.sending and silent.receiving and silent.packets_sent >= 30
    assert (silent.packets_received, silent.reports, silent.peer_sends, silent.peer_hears) == (0, 0, False, False)
    peer.say_tone(400)
    rig.tick()
    block = ReportBlock(peer.packets[0].ssrc, 0, 0, 0, 0, 0, 0)
    report = build_compound([SenderReport(peer.ssrc, 1, 0, 1, 160, (block,))])
    rig.network.deliver(report, peer.address, (SERVER_IP, peer.server[1] + 1))
    rig.tick(20)
    rig.do(m.ProbeLeg(LegId("a")))
    rig.tick()
    fine = rig.of(m.LegProbed)[-1]
    assert (fine.packets_received, fine.reports, fine.peer_sends, fine.peer_hears) == (1, 1, True, True)
    rig.configure(peer, receive=False)
    rig.do(m.ProbeLeg(LegId("a")))
    rig.tick()
    assert not rig.of(m.LegProbed)[-1].receiving


def test_shutdown_and_close_leave_nothing_bound() -> None:
    rig = Rig()
    rig.open("a")
    rig.open("b", "other")
    rig.do(m.Shutdown())
    assert rig.engine.stopped
    rig.engine.close()
    assert not rig.network.sockets


def test_keys_and_audio_are_taken_under_our_numbers_and_under_the_peers() -> None:
    """Each side names the numbers it wants to receive; peers mix them up (RFC 3264 §5.1, INTEROP row 27)."""
    rig = Rig()
    peer = rig.open("a", dtmf_payload_type=96, receive_payload_type=0, dtmf_receive_payload_type=101)
    for payload_type in (101, 96):
        for end in (False, True, True, True):
            payload = bytes([7, 0x80 if end else 0]) + (800).to_bytes(2, "big")
            peer.send_raw(peer.packet(payload, payload_type).to_bytes())
        peer.timestamp = (peer.timestamp + 1600) & 0xFFFFFFFF
        rig.tick(3)
    assert [event.digit for event in rig.of(m.DtmfReceived)] == ["7", "7"]
    assert closed(rig, "a").packets_rejected == 0


def test_where_the_numbers_of_both_sides_cross_ours_count() -> None:
    """We offered audio at 111 and keys at 110, and the answer has them the other way round (RFC 3264 §6.1)."""
    rig = Rig()
    numbers = {"payload_type": 110, "receive_payload_type": 111}
    peer = rig.open("a", **numbers, dtmf_payload_type=111, dtmf_receive_payload_type=110)
    for payload_type, payload in [(111, bytes(160))] * 3 + [(110, TelephoneEvent(7, True, 10, 800).to_bytes())] * 3:
        peer.send_raw(peer.packet(payload, payload_type).to_bytes())
    rig.tick(3)
    assert [event.digit for event in rig.of(m.DtmfReceived)] == ["7"], "and audio is none"
    assert closed(rig, "a").packets_rejected == 0


def test_keys_that_went_out_before_the_leg_ended_were_sent() -> None:
    """A machine hangs up at the hash: of two keys of 40 ms, 80 apart, the second one has just ended."""
    for ticks, sent in ((1, []), (6, ["1"]), (12, ["12"])):
        rig = Rig()
        rig.open("a")
        rig.do(m.SendDtmf(LegId("a"), "12", 40))
        rig.tick(ticks)
        rig.do(m.CloseLeg(LegId("a")))
        assert [event.digits for event in rig.of(m.DtmfSent)] == sent
