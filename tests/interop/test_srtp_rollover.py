"""SRTP past the end of the sequence numbers (RFC 3711 §3.3.1), with rtpengine's own SRTP at the other end.

Our side is the worker's code on real sockets, rtpengine between it and a plain socket. Around each wrap all numbers
are sent, some late; in between only every 64th, which is heavy loss to the counters of both sides.
"""

from __future__ import annotations

import base64
import random
import re
import secrets
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from tests.interop.rtpengine_peer import Rtpengine
from voicegw.base.metrics import Counters
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.media.messages import LegKeys
from voicegw.media.secure import REFUSED, SecurePorts
from voicegw.media.sockets import PortPair, UdpNetwork
from voicegw.rtp.packet import RtpPacket
from voicegw.rtp.srtp import SEAL_BYTES, seal_place
from voicegw.sdp.crypto import CryptoLine, parse_line
from voicegw.testing.ports import free_ports

pytestmark = [pytest.mark.interop]

HOST = "127.0.0.1"
WRAP = 1 << 16
NEAR, LATEST, SPARSE = 256, 40, 64
BLOCK = 32
"""Packets under way at once: rtpengine drops from a queue of which it has read 50 without a pause."""
WITHIN_S = 30.0
OURS, THEIRS = 0x0DD5EED, 0x5EED


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rtpengine]:
    with Rtpengine(tmp_path_factory.mktemp("rtpengine")) as running:
        yield running


class Crossing:
    """A secured leg of ours and a plain socket, and rtpengine between them."""

    def __init__(self, proxy: Rtpengine, suite: str) -> None:
        network, port = UdpNetwork(), free_ports(4)
        self.pair = PortPair(HOST, port, network.bind(HOST, port), network.bind(HOST, port + 1))
        self.plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.plain.bind((HOST, port + 2))
        self.plain.settimeout(WITHIN_S)
        self._proxy, self._call = proxy, secrets.token_hex(8)
        self._view = memoryview(bytearray(2048))
        self.ssrc = OURS
        self.leg = SecurePorts(self.pair, self.their_offer(suite), Counters())

    def close(self) -> None:
        self.pair.close()
        self.plain.close()

    def their_offer(self, suite: str) -> LegKeys:
        """The plain side offers, and we choose this suite."""
        secured = {"from-tag": "plain", "transport-protocol": "RTP/SAVP", "DTLS": "off"}
        offer = self._rewritten("offer", self.plain.getsockname()[1], "RTP/AVP", "", secured)
        theirs = next(line for line in _crypto_lines(offer) if line.key.suite == suite)
        ours, secret = _new_line(theirs.tag, suite)
        answer = self._rewritten(
            "answer", self.pair.port, "RTP/SAVP", ours, {"from-tag": "plain", "to-tag": "secured"}
        )
        self._secured, self._inside = _place(offer), _place(answer)
        return LegKeys(suite, secret, theirs.key.secret)

    def our_offer(self, suite: str) -> LegKeys:
        """In the same call we offer this suite and no other."""
        ours, secret = _new_line(1, suite)
        order = {"from-tag": "secured", "to-tag": "plain", "transport-protocol": "RTP/AVP"}
        offer = self._rewritten("offer", self.pair.port, "RTP/SAVP", ours, order)
        answer = self._rewritten(
            "answer", self.plain.getsockname()[1], "RTP/AVP", "", {"from-tag": "secured", "to-tag": "plain"}
        )
        self._inside, self._secured = _place(offer), _place(answer)
        (theirs,) = _crypto_lines(answer)
        return LegKeys(suite, secret, theirs.key.secret)

    def _rewritten(self, command: str, port: int, profile: str, more: str, order: dict[str, str]) -> str:
        body = (
            f"v=0\r\no=x 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=audio {port} {profile} 0\r\n"
            f"a=rtpmap:0 PCMU/8000\r\n{more}"
        )
        return self._proxy.rewritten(command=command, sdp=body, ICE="remove", **{"call-id": self._call}, **order)

    def pass_both_ways(self, numbers: Sequence[int]) -> None:
        """All of these packets, in this order, by each side: what arrives is what was sent, in the same order."""
        sealed = {number: self._sealed(voice(number, self.ssrc)) for number in sorted(numbers)}
        for start in range(0, len(numbers), BLOCK):
            block = numbers[start : start + BLOCK]
            for number in block:
                self.leg.send_sealed(sealed[number], self._secured)
            assert [self.plain.recv(2048) for _ in block] == [voice(number, self.ssrc) for number in block]
            for number in block:
                self.plain.sendto(voice(number, THEIRS), self._inside)
            assert [self._opened() for _ in block] == [voice(number, THEIRS) for number in block]
            self.leg.follow(THEIRS, max(numbers[: start + BLOCK]) % WRAP)

    def _sealed(self, plain: bytes) -> bytes:
        memory = bytearray(plain + bytes(SEAL_BYTES))
        size = self.leg.seal(seal_place(memoryview(memory)), len(plain))
        assert size > len(plain)
        return bytes(memory[:size])

    def _opened(self) -> bytes:
        assert select.select([self.pair.rtp], [], [], WITHIN_S)[0], "nothing comes from rtpengine"
        size, _source = self.leg.receive(self._view)
        assert size != REFUSED, f"{self.leg.forged} forged, {self.leg.replayed} replayed"
        return bytes(self._view[:size])


def voice(number: int, ssrc: int) -> bytes:
    """A packet that says itself which it is, counted past 16 bits."""
    return RtpPacket(0, number % WRAP, number * 160 % (1 << 32), ssrc, b"%160d" % number).to_bytes()


def past_wraps(first: int, last: int) -> list[int]:
    """The numbers of a stream that runs past each wrap between ``first`` and ``last``; the dense ones come late."""
    chosen = [n for n in range(first, last) if (n + NEAR) % WRAP < 2 * NEAR or n % SPARSE == 0]
    late = random.Random(first)
    return sorted(chosen, key=lambda n: n + late.uniform(0, LATEST))


@pytest.mark.parametrize("suite", SRTP_SUITES)
def test_each_suite_is_the_one_that_rtpengine_has(proxy: Rtpengine, suite: str) -> None:
    with closing(Crossing(proxy, suite)) as crossing:
        crossing.pass_both_ways(range(1000, 1000 + 4 * BLOCK))
        assert (crossing.leg.forged, crossing.leg.replayed) == (0, 0)


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"])
def test_both_sides_count_on_past_two_wraps(proxy: Rtpengine, suite: str) -> None:
    with closing(Crossing(proxy, suite)) as crossing:
        crossing.pass_both_ways(past_wraps(WRAP - 1000, 2 * WRAP + 2000))
        assert (crossing.leg.forged, crossing.leg.replayed) == (0, 0)


def test_a_new_key_after_a_wrap(proxy: Rtpengine) -> None:
    """An offer of ours has another suite, so that both sides need new keys.

    rtpengine counts the rollovers of its sequence on, as the RFC has it: our new receiver has to be led there.
    """
    with closing(Crossing(proxy, "AES_CM_128_HMAC_SHA1_80")) as crossing:
        crossing.pass_both_ways(past_wraps(WRAP - 1000, WRAP + 1000))
        assert crossing.leg.change(crossing.our_offer("AEAD_AES_256_GCM"))
        crossing.ssrc += 1  # as the worker does (docs/decisions/0014-srtp.md)
        crossing.pass_both_ways(past_wraps(WRAP + 1000, 2 * WRAP + 1000))
        assert (crossing.leg.forged, crossing.leg.replayed) == (0, 0)


def _place(description: str) -> tuple[str, int]:
    found = re.search(r"^m=audio (\d+) ", description, re.M)
    assert found, description
    return HOST, int(found.group(1))


def _crypto_lines(description: str) -> list[CryptoLine]:
    return [line for value in re.findall(r"^a=crypto:(.*)\r$", description, re.M) if (line := parse_line(value))]


def _new_line(tag: int, suite: str) -> tuple[str, bytes]:
    """An attribute with a new key, and the key."""
    secret = secrets.token_bytes(SRTP_SUITES[suite].secret_bytes)
    return f"a=crypto:{tag} {suite} inline:{base64.b64encode(secret).decode()}\r\n", secret
