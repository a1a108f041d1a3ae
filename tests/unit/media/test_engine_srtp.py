"""Encrypted legs of the engine: what is heard, what is refused, and what becomes of keys that change."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import SERVER_IP, Peer, Rig, power_at, tone
from voicegw.audio.g711 import Law, decode, encode
from voicegw.base.ids import LegId
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.media import messages as m
from voicegw.rtp.packet import RtpPacket
from voicegw.rtp.rtcp import ReceiverReport, SenderReport, build_compound, parse_compound
from voicegw.rtp.srtp import SrtpKey, SrtpReceiver, SrtpSender

EVIL = ("203.0.113.66", 6666)
AES_128 = "AES_CM_128_HMAC_SHA1_80"


def keys(number: int = 1, suite: str = AES_128, mki: bytes = b"") -> m.LegKeys:
    length = SRTP_SUITES[suite].secret_bytes
    return m.LegKeys(suite, bytes([number] * length), bytes([number + 100] * length), mki)


class SecurePeer:
    """A telephone on an encrypted leg."""

    def __init__(self, rig: Rig, agreed: m.LegKeys) -> None:
        self.rig = rig
        self.peer = rig.open("a", srtp=agreed)
        self.take(agreed)

    def take(self, agreed: m.LegKeys) -> None:
        """Begin with these keys, as one who knows nothing of before."""
        self._sender = SrtpSender(SrtpKey(agreed.suite, agreed.receive))
        self._receiver = SrtpReceiver(SrtpKey(agreed.suite, agreed.send))

    def sealed(self, packet: RtpPacket) -> bytes:
        made = self._sender.protect(packet.to_bytes())
        assert made is not None
        return bytes(made)

    def say(self, hz: float = 400) -> bytes:
        """The next 20 ms of a tone; what went over the wire."""
        pcm = tone(hz, start=self.peer.said)
        self.peer.said += len(pcm)
        packet = self.peer.packet(encode(pcm, Law.ULAW).tobytes())
        self.peer.timestamp = (self.peer.timestamp + len(pcm)) & 0xFFFFFFFF
        data = self.sealed(packet)
        self.peer.send_raw(data)
        return data

    def talk(self, count: int, hz: float = 400) -> None:
        for _ in range(count):
            self.say(hz)
            self.rig.tick()

    def heard(self) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        """What has come since the last time, decrypted; what cannot be is not heard."""
        payloads = []
        for data in self.rig.network.outbox.pop(self.peer.address, []):
            self._receiver.buffer[: len(data)] = data
            size = self._receiver.unprotect(len(data))
            if size > 0:
                payloads.append(RtpPacket.parse(bytes(self._receiver.buffer[:size])).payload)
        return decode(np.frombuffer(b"".join(payloads), np.uint8), Law.ULAW)

    def opened_report(self, data: bytes) -> bytes:
        self._receiver.buffer[: len(data)] = data
        size = self._receiver.unprotect_report(len(data))
        return bytes(self._receiver.buffer[: max(0, size)])

    def report(self) -> None:
        sealed = self._sender.protect_report(build_compound([SenderReport(self.peer.ssrc, 1 << 40, 0, 1, 1)]))
        assert sealed is not None
        place = (SERVER_IP, self.peer.server[1] + 1)
        self.rig.network.deliver(bytes(sealed), (self.peer.address[0], self.peer.address[1] + 1), place)


def house(agreed: m.LegKeys | None = None) -> tuple[Rig, SecurePeer]:
    """A leg that hears itself."""
    rig = Rig()
    phone = SecurePeer(rig, agreed or keys())
    rig.mix(("a", "echo"), ("a", "a"))
    return rig, phone


def stats(rig: Rig) -> m.LegStats:
    rig.do(m.CloseLeg(LegId("a")))
    return rig.of(m.LegClosed)[-1].stats


@pytest.mark.parametrize("suite", SRTP_SUITES)
def test_both_sides_hear_each_other(suite: str) -> None:
    rig, phone = house(keys(suite=suite))
    phone.talk(50)
    assert power_at(phone.heard()[2000:], 400) > 6000
    final = stats(rig)
    assert (final.srtp, final.packets_forged, final.packets_replayed) == (suite, 0, 0)


def test_an_identifier_of_the_key_is_expected_where_it_was_agreed() -> None:
    rig, phone = house(keys(mki=b"\0\1"))
    data = phone.sealed(phone.peer.packet(bytes(160)))
    phone.peer.send_raw(data)
    phone.peer.send_raw(data[:-10] + b"\0\1" + data[-10:])
    rig.tick()
    assert (stats(rig).packets_received, stats_forged(rig)) == (1, 1)


def stats_forged(rig: Rig) -> int:
    return rig.of(m.LegClosed)[-1].stats.packets_forged


def test_plain_packets_teach_an_encrypted_leg_nothing() -> None:
    rig, phone = house()
    stranger = Peer(rig, "stranger", phone.peer.server[1], EVIL)
    for _ in range(50):
        stranger.say_tone(400)  # by itself it would be learned after five
        phone.peer.send_raw(stranger.packet(bytes(160)).to_bytes())  # and so from the right address
        rig.tick()
    assert not rig.of(m.MediaLatched)
    assert rig.engine.counters.snapshot()["srtp_forged"] == 100
    phone.talk(3)
    assert [event.remote_ip for event in rig.of(m.MediaLatched)] == [phone.peer.address[0]]


def test_packets_that_somebody_recorded_are_refused() -> None:
    rig, phone = house()
    recorded = [phone.say() for _ in range(3)]
    rig.tick()
    for data in recorded:
        phone.peer.send_raw(data, EVIL)
    rig.tick()
    final = stats(rig)
    assert (final.packets_received, final.packets_replayed) == (3, 3)


def test_a_leg_that_is_held_and_resumed_goes_on_with_the_same_stream() -> None:
    rig, phone = house()
    phone.talk(20)
    before = phone.heard()
    rig.configure(phone.peer, srtp=keys(), send=False, receive=False)
    rig.tick(20)
    rig.configure(phone.peer, srtp=keys())
    phone.talk(20)
    assert len(before)
    assert len(phone.heard())
    assert stats(rig).packets_forged == 0


def test_numbers_run_over_on_both_sides() -> None:
    """The peer's begin at 65530; ours are set so that they run over in a moment."""
    rig, phone = house()
    phone.talk(5)
    bank = rig.engine._bank
    bank.sequence[:] = 0x7FF0  # one step at a time, as the peer has heard the one before
    phone.talk(2)
    bank.sequence[:] = 0xFFF0
    phone.talk(40)
    assert len(phone.heard()) > 40 * 160
    assert stats(rig).packets_forged == 0


def test_the_first_number_of_an_encrypted_stream_is_in_the_lower_half() -> None:
    for _ in range(8):
        rig, _phone = house()
        assert rig.engine._bank.sequence[:16].max() < 1 << 17
        row = next(iter(rig.engine._board.legs.values())).row
        assert rig.engine._bank.sequence[row] < 1 << 15


def test_other_keys_are_in_force_at_once_and_what_is_under_way_is_heard() -> None:
    rig, phone = house()
    phone.talk(20)
    phone.heard()
    rig.configure(phone.peer, srtp=keys(2))
    phone.talk(2)  # under way, with the old key
    assert rig.engine.counters.snapshot().get("srtp_forged", 0) == 0
    phone.take(keys(2))
    phone.heard()
    phone.talk(20)
    assert len(phone.heard()) >= 19 * 160
    assert stats(rig).packets_forged == 0


def test_the_old_key_is_over_once_the_new_one_was_used() -> None:
    rig, phone = house()
    phone.talk(20)
    late = phone.sealed(phone.peer.packet(bytes(160)))
    rig.configure(phone.peer, srtp=keys(2))
    phone.take(keys(2))
    phone.talk(2)
    phone.peer.send_raw(late)
    rig.tick()
    assert stats(rig).packets_forged == 1


@pytest.mark.parametrize("counts_on", [True, False], ids=["counts on", "starts over"])
def test_after_an_overrun_a_peer_may_count_on_under_the_new_key_or_start_over(counts_on: bool) -> None:
    rig, phone = house()
    phone.talk(20)  # its numbers began at 65530
    rig.configure(phone.peer, srtp=keys(2))
    phone.take(keys(2))
    if counts_on:
        for number in (0, 0x6000, 0xC000):
            phone.sealed(RtpPacket(0, number, 0, phone.peer.ssrc, b""))  # its stream is in the second round
    phone.talk(20)
    received = stats(rig)
    assert received.packets_received == 40
    assert received.packets_forged == 0


def test_where_our_numbers_ran_over_other_keys_bring_another_ssrc() -> None:
    rig, phone = house()
    row = next(iter(rig.engine._board.legs.values())).row
    bank = rig.engine._bank
    phone.talk(2)
    ssrc = bank.ssrc[row]
    rig.configure(phone.peer, srtp=keys(2))
    assert bank.ssrc[row] == ssrc
    bank.sequence[row] += 70000
    bank._first_sequence[row] += 70000
    rig.configure(phone.peer, srtp=keys(3))
    assert bank.ssrc[row] != ssrc
    assert bank.sequence[row] < 1 << 15
    phone.take(keys(3))
    phone.heard()
    phone.talk(10)
    assert len(phone.heard()) >= 9 * 160
    assert stats(rig).packets_sent <= 14


def test_a_peer_may_change_its_ssrc_under_one_key() -> None:
    rig, phone = house()
    phone.talk(20)
    phone.peer.ssrc ^= 0xFF
    phone.peer.sequence = 7
    rig.tick(5)
    phone.talk(20)
    final = stats(rig)
    assert final.packets_forged == 0
    assert final.packets_received >= 38


def test_an_encrypted_leg_may_become_plain_and_encrypted_again() -> None:
    rig, phone = house()
    phone.talk(10)
    rig.configure(phone.peer)
    phone.heard()
    for _ in range(10):
        phone.peer.say_tone(400)
        rig.tick()
    assert len(phone.peer.heard()) >= 9 * 160
    rig.configure(phone.peer, srtp=keys(2))
    phone.take(keys(2))
    rig.network.outbox.clear()
    phone.talk(10)
    assert len(phone.heard()) >= 9 * 160


def moved(rig: Rig, phone: SecurePeer, agreed: m.LegKeys, *, knows: bool = True) -> Rig:
    """Another engine has the leg now, and knows of the stream what the first one told last."""
    other = Rig()
    heard = rig.of(m.KeystreamReached)[-1]
    known = {"heard_ssrc": heard.ssrc, "heard_to": heard.index} if knows else {}
    port = other.open("a", srtp=agreed, **known).server
    other.mix(("a", "echo"), ("a", "a"))
    phone.rig = phone.peer.rig = other
    phone.peer.server = port
    return other


def tell(rig: Rig, phone: SecurePeer) -> None:
    """Long enough for the engine to look at every leg."""
    phone.talk(260)


@pytest.mark.parametrize("knows", [True, False])
def test_another_worker_hears_a_stream_whose_numbers_have_run_over(knows: bool) -> None:
    rig, phone = house()  # its numbers began at 65530
    tell(rig, phone)
    assert rig.of(m.KeystreamReached)[-1].index >> 16 == 1
    other = moved(rig, phone, keys(), knows=knows)
    phone.talk(50)
    final = stats(other)
    assert (final.packets_received, final.packets_forged) == ((50, 0) if knows else (0, 50))


def test_a_third_worker_hears_it_too() -> None:
    rig, phone = house()
    tell(rig, phone)
    second = moved(rig, phone, keys())
    for number in (0x3000, 0x6000, 0x9000, 0xC000, 0xFF80):
        phone.peer.sequence = number
        tell(second, phone)
    assert second.of(m.KeystreamReached)[-1].index >> 16 == 2
    third = moved(second, phone, keys())
    phone.talk(20)
    assert (stats(third).packets_received, stats_forged(third)) == (20, 0)


@pytest.mark.parametrize("counts_on", [True, False], ids=["counts on", "starts over"])
def test_another_worker_hears_a_peer_that_changed_its_key_after_an_overrun(counts_on: bool) -> None:
    rig, phone = house()
    tell(rig, phone)
    rig.configure(phone.peer, srtp=keys(2))
    phone.take(keys(2))
    if counts_on:
        for number in (0, 0x6000, 0xC000):
            phone.sealed(RtpPacket(0, number, 0, phone.peer.ssrc, b""))
    tell(rig, phone)
    assert rig.of(m.KeystreamReached)[-1].index >> 16 == (1 if counts_on else 0)
    other = moved(rig, phone, keys(2))
    phone.talk(20)
    assert (stats(other).packets_received, stats_forged(other)) == (20, 0)


def test_reports_are_encrypted_both_ways() -> None:
    rig, phone = house()
    place = (phone.peer.address[0], phone.peer.address[1] + 1)
    phone.report()
    rig.network.deliver(
        build_compound([ReceiverReport(phone.peer.ssrc)]), place, (SERVER_IP, phone.peer.server[1] + 1)
    )
    phone.talk(600)
    sent = rig.network.outbox[place]
    opened = phone.opened_report(sent[0])
    assert opened
    assert isinstance(parse_compound(opened)[0], SenderReport)
    block = parse_compound(phone.opened_report(sent[1]))[0]
    assert isinstance(block, SenderReport)
    assert block.blocks[0].last_sr, "the report of the peer was understood"
    assert rig.engine.counters.snapshot()["srtp_forged"] == 1


def test_a_suite_that_is_not_there_fails_the_leg() -> None:
    rig = Rig()
    rig.open("a", srtp=m.LegKeys("F8_128_HMAC_SHA1_80", bytes(30), bytes(30)))
    assert "F8" in rig.of(m.LegFailed)[0].reason


def test_keys_are_not_shown() -> None:
    command = m.ConfigureLeg(LegId("a"), "192.0.2.1", 4000, "PCMU", 0, srtp=keys())
    assert repr(keys().send) not in repr(command)
    assert m.decode_command(m.encode(command)) == command
