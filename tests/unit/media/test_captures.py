"""Packet captures of the worker: what is seen, what is left out of it, and that nobody else notices."""

from __future__ import annotations

import itertools

import numpy as np

from tests.unit.media.rig import SERVER_IP, Peer, Rig, power_at, tone
from voicegw.audio.g711 import Law, decode
from voicegw.base.ids import CallId, LegId
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.ports.capture import CaptureBegun, CapturedPacket, CaptureOver, CaptureReport
from voicegw.rtp.packet import RtpPacket
from voicegw.rtp.rtcp import is_report
from voicegw.rtp.telephone_event import TelephoneEventSender

CALL = CallId("call")
PATH = "/captures/call-1.pcap"
PHONE = ("192.0.2.9", 20002)


class MemorySink:
    """Keeps packets."""

    def __init__(self) -> None:
        self.packets: list[CapturedPacket] = []
        self.reports: list[CaptureReport] = []
        self.path = ""

    def start(self, call_id: CallId, path: str, max_bytes: int, max_s: float) -> bool:
        if self.path:
            return False
        self.path = path
        self.reports.append(CaptureBegun(call_id, path))
        return True

    def add(self, call_id: CallId, packet: CapturedPacket) -> bool:
        assert call_id == CALL
        self.packets.append(packet)
        return True

    def stop(self, call_id: CallId, *, discard: bool = False, reason: str = "it was stopped") -> None:
        self.end("" if discard else self.path, reason)

    def end(self, path: str, reason: str) -> None:
        wish, self.path = self.path, ""
        self.reports.append(CaptureOver(CALL, wish, path, len(self.packets), 0, 0, reason))

    def poll(self) -> list[CaptureReport]:
        reports, self.reports = self.reports, []
        return reports

    def close(self) -> None:
        if self.path:
            self.end(self.path, "the worker ended")

    def rtp(self, *, sent: bool) -> list[CapturedPacket]:
        """Audio one way."""
        return [one for one in self.packets if (one.source[0] == SERVER_IP) is sent and not is_report(one.data[:2])]


class CaptureRig(Rig):
    """With a sink for captures."""

    def __init__(self) -> None:
        super().__init__(MediaConfig(max_legs=16))
        self.sink = MemorySink()
        self.engine = MediaEngine(
            self.engine.config, self.network, self.clock, bytes, self.recorder, None, None, self.sink
        )

    def capture(self, *, audio: bool = True, keys: bool = True) -> None:
        self.do(m.StartCapture(CALL, PATH, audio, keys, 10**6, 60.0))

    def talk(self, peer: Peer, frames: int, hz: float = 700.0) -> None:
        for _ in range(frames):
            peer.say_tone(hz)
            self.tick()


def payloads(packets: list[CapturedPacket]) -> bytes:
    return b"".join(RtpPacket.parse(one.data).payload for one in packets)


def bridged(**settings: object) -> tuple[CaptureRig, Peer, Peer]:
    rig = CaptureRig()
    one, two = rig.open("one", **settings), rig.open("two")
    rig.mix(("one", "two"), ("two", "one"))
    rig.talk(one, 10)
    return rig, one, two


def test_what_a_caller_said_and_was_sent_is_in_the_capture() -> None:
    rig, one, two = bridged()
    rig.capture()
    for _ in range(40):
        one.say_tone(700)
        two.say_tone(1900)
        rig.tick()
    said = [packet for packet in rig.sink.rtp(sent=False) if packet.source == one.address]
    sent = [packet for packet in rig.sink.rtp(sent=True) if packet.target == one.address]
    assert len(said) == 40 and len(sent) == 40
    assert {packet.target for packet in said} == {one.server} == {packet.source for packet in sent}
    heard = decode(np.frombuffer(payloads(said), np.uint8), Law.ULAW)
    assert power_at(heard, 700) > 7000 and power_at(heard, 1900) < 200
    shipped = decode(np.frombuffer(payloads(sent)[1600:], np.uint8), Law.ULAW)
    assert power_at(shipped, 1900) > 7000 and power_at(shipped, 700) < 200
    at = [packet.wall_us for packet in rig.sink.rtp(sent=True) if packet.target == one.address]
    assert {b - a for a, b in itertools.pairwise(at)} <= {19_999, 20_000, 20_001}
    assert [event.path for event in rig.of(m.CaptureStarted)] == [PATH]


def test_nobody_notices_a_capture() -> None:
    """The same call with and without: the same packets to the same places, bit for bit."""
    sent = []
    for is_captured in (False, True):
        rig, one, two = bridged()
        if is_captured:
            rig.capture()
        rig.talk(one, 30)
        rig.do(m.StopCapture(CALL))
        rig.talk(one, 30)
        sent.append((rig.network.outbox[one.address], rig.network.outbox[two.address]))
    assert sent[0] == sent[1] and len(sent[0][1]) > 60


def test_audio_that_may_not_be_kept_leaves_its_headers_only() -> None:
    rig, one, _ = bridged()
    rig.capture(audio=False)
    rig.talk(one, 10)
    assert {(len(packet.data), packet.size) for packet in rig.sink.rtp(sent=False)} == {(12, 172)}
    assert {(len(packet.data), packet.size) for packet in rig.sink.rtp(sent=True)} == {(12, 172)}
    rig.do(m.ChangeCapture(CALL, True, True))
    rig.talk(one, 10)
    assert [len(packet.data) for packet in rig.sink.rtp(sent=False)] == [12] * 10 + [172] * 10
    sequence = [RtpPacket.parse(packet.data).sequence for packet in rig.sink.rtp(sent=False)]
    assert {(b - a) & 0xFFFF for a, b in itertools.pairwise(sequence)} == {1}


def test_what_may_be_audio_or_keys_is_kept_where_both_may_be() -> None:
    """Each side has its own numbers (RFC 3264 §5.1): one may be audio on the way in, and keys on the way out."""
    for audio, keys, size in ((False, True, 12), (True, False, 12), (True, True, 172)):
        rig, one, _ = bridged()
        rig.configure(one, dtmf_payload_type=0, dtmf_receive_payload_type=101)
        rig.capture(audio=audio, keys=keys)
        rig.talk(one, 10)
        assert {len(packet.data) for packet in rig.sink.rtp(sent=False)} == {size}


def test_keys_are_left_out_both_ways() -> None:
    """RFC 4733 payloads: the event is their first byte. The audio around them is there."""
    for keys, size in ((False, 12), (True, 16)):
        rig, one, _ = bridged()
        rig.capture(keys=keys)
        pressed = TelephoneEventSender()
        pressed.queue("5", 100)
        while pressed.busy:
            event = pressed.next(one.timestamp)
            if event is not None:
                one.send_raw(one.packet(event.payload, 101, marker=event.marker).to_bytes())
            rig.tick()
        rig.do(m.SendDtmf(LegId("one"), "7", 100))
        rig.talk(one, 20)
        assert "5" in [event.digit for event in rig.of(m.DtmfReceived)]
        for sent in (False, True):
            events = [packet for packet in rig.sink.rtp(sent=sent) if packet.data[1] & 0x7F == 101]
            assert len(events) >= 5 and {(len(packet.data), packet.size) for packet in events} == {(size, 16)}
            assert {len(one.data) for one in rig.sink.rtp(sent=sent) if one.data[1] & 0x7F == 0} == {172}


def test_a_stranger_is_seen_too_and_what_is_no_known_sound_counts_as_keys() -> None:
    rig, one, _ = bridged()
    rig.capture(keys=False)
    one.send_raw(one.packet(b"not ours" * 4, 97).to_bytes(), ("203.0.113.66", 6666))
    rig.tick()
    (stranger,) = [packet for packet in rig.sink.packets if packet.source[0] == "203.0.113.66"]
    assert (len(stranger.data), stranger.size) == (12, 44)


def test_reports_are_there_in_full() -> None:
    rig, one, _ = bridged()
    rig.capture(audio=False)
    rig.talk(one, 600)
    reports = [packet for packet in rig.sink.packets if is_report(packet.data[:2])]
    assert reports and all(packet.size == len(packet.data) > 28 for packet in reports)
    assert {packet.target for packet in reports if packet.source[1] == one.server[1] + 1} == {
        (one.address[0], one.address[1] + 1)
    }


def test_srtp_is_captured_as_it_is_inside_and_goes_on_as_before() -> None:
    keys = m.LegKeys("AES_CM_128_HMAC_SHA1_80", bytes(range(30)), bytes(range(30, 60)))
    rig = CaptureRig()
    one, two = rig.open("one", srtp=keys), rig.open("two")
    rig.mix(("two", "one"))
    rig.talk(two, 10)
    rig.capture()
    rig.talk(two, 20, 1100.0)
    rig.do(m.StopCapture(CALL))
    rig.talk(two, 10)
    sent = [packet for packet in rig.sink.rtp(sent=True) if packet.target == one.address]
    plain = decode(np.frombuffer(payloads(sent)[800:], np.uint8), Law.ULAW)
    assert len(sent) == 20 and power_at(plain, 1100) > 7000
    on_the_wire = [RtpPacket.parse(data) for data in rig.network.outbox[one.address]]
    assert {len(packet.payload) for packet in on_the_wire} == {160 + 10}
    numbers = [packet.sequence for packet in on_the_wire]
    assert {(b - a) & 0xFFFF for a, b in itertools.pairwise(numbers)} == {1}
    times = [packet.timestamp for packet in on_the_wire]
    assert {(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(times)} == {160}


def test_legs_that_come_later_are_in_it_and_signalling_is_written_beside_them() -> None:
    rig, one, _ = bridged()
    rig.capture()
    late = rig.open("late")
    rig.mix(("one", "late"))
    rig.do(m.CaptureMessage(CALL, 5, ("10.0.0.1", 5060), ("192.0.2.9", 5060), b"BYE"))
    rig.talk(one, 5)
    late.say(tone(300.0))
    rig.tick()
    assert {one.address, late.address} <= {packet.source for packet in rig.sink.packets}
    assert (5, b"BYE") in [(packet.wall_us, packet.data) for packet in rig.sink.packets]


def test_one_that_ended_by_itself_is_told_and_another_may_follow() -> None:
    rig, one, _ = bridged()
    rig.capture()
    rig.do(m.StartCapture(CALL, "/captures/two.pcap", True, True, 1, 1.0))
    assert [event.reason for event in rig.of(m.CaptureEnded)] == ["the call is being captured already"]
    rig.sink.end(PATH, "it had lasted as long as it may")
    rig.tick(12)
    assert [event.wish for event in rig.of(m.CaptureEnded)] == ["/captures/two.pcap", PATH]
    seen = len(rig.sink.packets)
    rig.talk(one, 5)
    assert len(rig.sink.packets) == seen
    rig.capture()
    rig.talk(one, 5)
    assert len(rig.sink.packets) > seen


def test_it_lasts_until_it_is_told_that_nothing_more_is_said() -> None:
    """The BYE's answer comes when the audio is gone."""
    rig, _, _ = bridged()
    rig.capture()
    rig.do(m.CloseLeg(LegId("one")), m.CloseLeg(LegId("two")))
    rig.do(m.CaptureMessage(CALL, 9, ("10.0.0.1", 5060), ("192.0.2.9", 5060), b"SIP/2.0 200 OK"))
    assert rig.sink.packets[-1].data == b"SIP/2.0 200 OK" and not rig.of(m.CaptureEnded)
    rig.do(m.StopCapture(CALL))
    rig.tick(12)
    assert [(event.path, event.reason) for event in rig.of(m.CaptureEnded)] == [(PATH, "the call ended")]


def test_a_call_that_is_not_there_is_told_so() -> None:
    rig = CaptureRig()
    rig.capture()
    assert [(event.path, event.reason) for event in rig.of(m.CaptureEnded)] == [("", "there is no such call")]
