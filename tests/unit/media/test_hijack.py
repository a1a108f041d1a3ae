"""Attempts to hear, to be heard and to disturb, over real sockets: each address of loopback is another host."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from tests.unit.media.rig import MemoryRecorder, power_at, tone
from voicegw.audio.g711 import Law, decode, encode
from voicegw.base.ids import CallId, LegId
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.media.sockets import UdpNetwork
from voicegw.rtp.packet import RtpPacket
from voicegw.rtp.rtcp import Bye, ReceiverReport, ReportBlock, build_compound
from voicegw.rtp.telephone_event import TelephoneEvent
from voicegw.testing.manual_clock import ManualClock

SERVER, PHONE, STRANGER, BEHIND_NAT = "127.0.0.1", "127.0.0.2", "127.0.0.66", "10.0.0.2"
GOOD_HZ, EVIL_HZ = 400, 1500


class Host:
    """A socket that speaks RTP."""

    def __init__(self, ip: str, ssrc: int, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((ip, port))
        self.ssrc, self.sequence, self.said = ssrc, 100, 0

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def say(self, port: int, hz: float, payload_type: int = 0, payload: bytes = b"") -> None:
        codes = payload or encode(tone(hz, start=self.said), Law.ULAW).tobytes()
        packet = RtpPacket(payload_type, self.sequence & 0xFFFF, self.said, self.ssrc, codes)
        self.sequence += 1
        self.said += 160
        self.socket.sendto(packet.to_bytes(), (SERVER, port))

    def received(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(2048))
            except BlockingIOError:
                return found


class House:
    """A leg that hears itself, and the hosts around it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.recorder = MemoryRecorder()
        config = MediaConfig(max_legs=4, port_low=38000, port_high=38999)
        numbers = random.Random()
        self.engine = MediaEngine(config, UdpNetwork(), self.clock, numbers.randbytes, self.recorder, None)
        self.events: list[m.Event] = []
        self.hosts = {PHONE: Host(PHONE, 1), STRANGER: Host(STRANGER, 2)}
        self.phone, self.stranger = self.hosts.values()

    def do(self, *commands: m.Command) -> None:
        for command in commands:
            self.engine.handle(command, self.clock.monotonic())
        self.events += self.engine.take_events()

    def open(self, sdp_ip: str = PHONE) -> int:
        """The port of a leg whose peer's SDP names ``sdp_ip``; it is recorded."""
        leg, call = LegId("leg"), CallId("call")
        self.do(m.OpenLeg(leg, call, SERVER))
        opened = next(event for event in self.events if isinstance(event, m.LegOpened))
        self.do(m.ConfigureLeg(leg, sdp_ip, self.phone.port, "PCMU", 0, 101))
        self.do(m.SetMix(call, (("leg", "rec_in", 1.0), ("leg", "leg", 1.0))), m.StartRecording(call, "x"))
        return opened.port

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.advance(0.02)
            self.engine.tick(self.clock.monotonic())
            self.events += self.engine.take_events()

    def heard(self, hz: float) -> float:
        """How loud a tone was, of all that was taken for the phone's."""
        return power_at(np.concatenate(self.recorder.left[CallId("call")]), hz)

    def latched(self) -> list[str]:
        return [event.remote_ip for event in self.events if isinstance(event, m.MediaLatched)]

    def close(self) -> m.LegStats:
        self.do(m.CloseLeg(LegId("leg")))
        return next(event.stats for event in self.events if isinstance(event, m.LegClosed))


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.engine.close()
    for host in made.hosts.values():
        host.socket.close()


def test_who_asks_a_port_that_waits_gets_nothing(house: House) -> None:
    """RTP bleed: one packet now and then to every port, and the server sends the call to whoever asked."""
    port = house.open(BEHIND_NAT)
    for _ in range(20):
        house.stranger.say(port, EVIL_HZ)
        house.tick(20)
    assert house.stranger.received() == []
    assert house.latched() == []
    assert house.close().packets_rejected == 20


def test_who_sends_into_a_call_is_not_heard_and_hears_nothing(house: House) -> None:
    port = house.open()
    for _ in range(150):
        house.phone.say(port, GOOD_HZ)
        house.stranger.say(port, EVIL_HZ)
        house.tick()
    assert house.latched() == [PHONE]
    assert house.heard(GOOD_HZ) > 5000
    assert house.heard(EVIL_HZ) < 50
    assert house.stranger.received() == []
    echo = b"".join(RtpPacket.parse(data).payload for data in house.phone.received())
    assert power_at(decode(np.frombuffer(echo, np.uint8), Law.ULAW), GOOD_HZ) > 5000


def test_who_copies_numbers_and_ssrc_is_not_heard(house: House) -> None:
    port = house.open()
    house.stranger.ssrc = house.phone.ssrc
    for _ in range(100):
        house.stranger.say(port, EVIL_HZ)  # one step ahead of the phone, which says the same numbers
        house.phone.say(port, GOOD_HZ)
        house.tick()
    assert house.heard(EVIL_HZ) < 50
    assert house.heard(GOOD_HZ) > 5000
    assert house.close().packets_rejected == 100


def test_a_stranger_presses_no_key(house: House) -> None:
    port = house.open()
    for number in range(60):
        house.phone.say(port, GOOD_HZ)
        event = TelephoneEvent(5, number % 10 > 6, 10, 160 * (number % 10 + 1))
        house.stranger.say(port, 0, 101, event.to_bytes())
        house.tick()
    assert not [event for event in house.events if isinstance(event, m.DtmfReceived)]


def test_behind_nat_the_first_steady_source_is_locked_and_the_next_one_shut_out(house: House) -> None:
    port = house.open(BEHIND_NAT)
    for _ in range(10):
        house.phone.say(port, GOOD_HZ)
        house.tick()
    for _ in range(200):
        house.phone.say(port, GOOD_HZ)
        house.stranger.say(port, EVIL_HZ)
        house.tick()
    assert house.latched() == [PHONE]
    assert house.heard(EVIL_HZ) < 50


def test_a_gap_in_speech_opens_no_door_and_a_long_silence_does(house: House) -> None:
    port = house.open(BEHIND_NAT)
    for _ in range(10):
        house.phone.say(port, GOOD_HZ)
        house.tick()
    house.tick(100)  # two seconds after the negotiation, and two of silence
    for _ in range(20):
        house.stranger.say(port, EVIL_HZ)
        house.tick()
    assert house.latched() == [PHONE]
    house.tick(150)
    for _ in range(20):
        house.stranger.say(port, EVIL_HZ)  # a peer that has moved looks the same
        house.tick()
    assert house.latched() == [PHONE, STRANGER]


def test_reports_of_strangers_count_for_nothing(house: House) -> None:
    port = house.open()
    house.phone.say(port, GOOD_HZ)
    house.tick()
    row = next(iter(house.engine._board.legs.values())).row
    block = ReportBlock(int(house.engine._bank.ssrc[row]), 255, 5000, 0, 0)
    attack = build_compound([ReceiverReport(house.phone.ssrc, (block,)), Bye((house.phone.ssrc,))])
    for _ in range(50):
        house.phone.say(port, GOOD_HZ)
        house.stranger.socket.sendto(attack, (SERVER, port))
        house.stranger.socket.sendto(attack, (SERVER, port + 1))
        house.tick()
    assert house.engine.counters.get("rtcp_byes") == 0
    assert house.engine.counters.get("rtcp_wrong_source") >= 50
    final = house.close()
    assert final.peer_lost == 0
    assert final.concealed_samples == 0
