"""What strangers send, to the SIP port and to the RTP port of a running call: the call goes on.

Each test makes a call, does its worst, and then demands that each side still hears the other and that OPTIONS is
answered. One server takes all of it: nothing may be left over for the next test.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.fault_server import FaultServer
from tests.interop.raw_phone import RawPhone
from tests.interop.rtp import PCMU, RtpPeer, packet
from tests.interop.sound import FRAME, seconds_with, speech_seconds, tone, ulaw_encode
from tests.unit.gateway.test_torture import MESSAGES

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

LARGEST = 65_507
"""The most that one UDP datagram over IPv4 carries."""
SSRC = 0x5EED
"""Of everything that ``tests.interop.rtp`` sends."""
_rng = random.Random(20)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    with FaultServer(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@contextmanager
def call(house: FaultServer) -> Iterator[RawPhone]:
    """A call on which the agent has begun to speak; at the end it must still work in both directions."""
    with house.phone() as phone:
        assert phone.dial() == 200
        phone.play(tone(1000, 2))
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 0.5, 30)
        yield phone
        assert_talks(house, phone)
        phone.hang_up()
        log = house.wait_ended(phone)
    assert log.cause == "caller_hangup"
    caller, _agent = house.recording(log)
    assert seconds_with(caller, 1000) >= 0.8
    assert seconds_with(caller, 1300) >= 0.8


def assert_talks(house: FaultServer, phone: RawPhone) -> None:
    """Keys arrive, the agent repeats them aloud, and OPTIONS is answered."""
    phone.play(tone(1300, 2))
    phone.press("1590")
    phone.wait_played()
    house.wait_facts(phone, "CallerSpoke")
    since = phone.mark()
    phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30, since)
    assert house.log_of(phone).keys == "1590"
    assert phone.options().startswith("SIP/2.0 200 ")


def test_ports_that_do_not_exist(house: FaultServer) -> None:
    """Two Python SIP stacks go deaf when they have to answer to port 99999 (INTEROP: what broke others)."""
    with call(house) as phone:
        host, port = phone.sip.getsockname()
        for bad in ("99999", "65536", "0", "-1", "5060x"):
            for method in ("OPTIONS", "INVITE", "BYE", "REGISTER", "ACK"):
                stranger = phone.request(method).replace(phone.call_id, f"{bad}-{method}")
                phone.send(stranger.replace(f"{host}:{port};branch", f"{host}:{bad};branch").replace(";rport", ""))
                phone.send(stranger.replace(f"sip:raw@{host}:{port}", f"sip:raw@{host}:{bad}"))
                phone.send(stranger.replace("Max-Forwards", f"Route: <sip:{host}:{bad};lr>\r\nMax-Forwards"))
        sdp = phone.sdp().replace(f"m=audio {phone.rtp.getsockname()[1]}", "m=audio 99999")
        phone.send(phone.request("INVITE", sdp).replace(phone.call_id, "port-in-sdp"))


def test_torn_random_and_oversized_datagrams_on_the_sip_port(house: FaultServer) -> None:
    with call(house) as phone:
        invite = phone.request("INVITE", phone.sdp()).replace(phone.call_id, "torn").encode()
        for end in range(0, len(invite), 23):
            phone.send(invite[:end])
        for size in (1, 3, 4, 20, 200, 1400, LARGEST):
            phone.send(_rng.randbytes(size))
        long_header = f"X-Long: {'x' * (LARGEST - len(invite) - 10)}\r\nMax-Forwards".encode()
        phone.send(invite.replace(b"Max-Forwards", long_header))
        phone.send(invite + b"x" * (LARGEST - len(invite)))
        phone.send(b"\0" * LARGEST)
        phone.send(b"\r\n" * (LARGEST // 2))


def test_every_torture_message(house: FaultServer) -> None:
    """What would only open one more call apart: those are for test_torture, without agents."""
    with call(house), _stranger() as stranger:
        for data, reaction in MESSAGES.values():
            if reaction != 200 and len(data) <= LARGEST:
                stranger.sendto(data, (house.host, house.port))


def test_a_flood_of_malformed_datagrams(house: FaultServer) -> None:
    with call(house) as phone, _stranger() as stranger:
        request = phone.request("OPTIONS").encode()
        for number in range(2000):
            at = _rng.randrange(len(request))
            stranger.sendto(request[:at] + _rng.randbytes(number % 50), (house.host, house.port))


def test_torn_random_and_oversized_datagrams_on_the_rtp_port(house: FaultServer) -> None:
    """From a stranger, and from the caller's own port: there rubbish must not pass as audio either."""
    with call(house) as phone, _stranger() as stranger:
        assert phone.remote is not None
        good = packet(PCMU, 1, 160, b"\xff" * FRAME)
        for source in (stranger, phone.rtp):
            for end in range(0, len(good), 9):
                source.sendto(good[:end], phone.remote)
            for size in (1, 12, 13, 172, 1023, 1024, 1500, LARGEST):
                source.sendto(_rng.randbytes(size), phone.remote)
            for first in (0x00, 0x40, 0xC0, 0x9F, 0xBF, 0xA0, 0x90):
                source.sendto(bytes([first]) + good[1:], phone.remote)
            source.sendto(good + b"\0" * (LARGEST - len(good)), phone.remote)
    measured = house.log_of(phone).one("MediaWasMeasured")
    assert measured["packets_rejected"] >= 40


def test_rtp_of_a_stranger_is_not_heard(house: FaultServer) -> None:
    """A well-made stream from another port, with the caller's own SSRC and another, with a key and an RTCP BYE."""
    with call(house) as phone, RtpPeer() as thief, _stranger() as stranger:
        assert phone.remote is not None
        thief.start(phone.remote, tone(2300, 2), "9")
        phone.play(tone(1000, 4))
        for number in range(20):
            data = packet(PCMU, number, number * FRAME, ulaw_encode(tone(2300, 0.02)))
            stranger.sendto(data[:8] + struct.pack("!I", 0xBAD) + data[12:], phone.remote)
        stranger.sendto(struct.pack("!BBHI", 0x81, 203, 1, SSRC), (phone.remote[0], phone.remote[1] + 1))
        phone.wait_played()
        assert not thief.packets, "audio was sent to a stranger"
    log = house.log_of(phone)
    caller, _agent = house.recording(log)
    assert seconds_with(caller, 2300, share=0.1) == 0
    assert seconds_with(caller, 1000) >= 3.5
    assert log.one("MediaWasMeasured")["packets_rejected"] >= 120


def test_what_came_was_counted(tmp_path: Path) -> None:
    """Counters of both processes, as the server tells them when it stops."""
    with FaultServer(tmp_path) as server, server.phone() as phone, _stranger() as stranger:
        assert phone.dial() == 200
        assert phone.remote is not None
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 0.5, 30)
        stranger.sendto(b"\x80\x00", phone.remote)
        stranger.sendto(packet(PCMU, 1, 160, b"\xff" * FRAME), phone.remote)
        for data in (b"rubbish", b"OPTIONS sip:x SIP/2.0\r\nVia: torn"):
            stranger.sendto(data, (server.host, server.port))
        since = phone.mark()
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 0.5, 30, since)
    assert server.counters["media_rtp_malformed"] == 1
    assert server.counters["media_rtp_wrong_source"] == 1
    assert server.counters["sip_malformed_dropped"] >= 1


@contextmanager
def _stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind(("127.0.0.1", 0))
        yield endpoint
