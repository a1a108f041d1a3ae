"""Pauses of ours, sent as comfort noise (RFC 3389) to who agreed on it, and as audio to everybody else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.media.rig import Peer, Rig, power_at, tone
from voicegw.base.ids import CallId, UtteranceId
from voicegw.media import messages as m
from voicegw.rtp.packet import RtpPacket

FRAME = 160
SECOND = 50


def say(rig: Rig, pcm: NDArray[np.int16], name: str = "words") -> None:
    rig.do(m.QueueAudio(CallId("call"), UtteranceId(name), pcm.tobytes(), final=True))


def called(rig: Rig, **settings: object) -> Peer:
    peer = rig.open("leg", **{"noise_payload_type": 13, **settings})
    rig.mix(("agent", "leg"), ("agent", "rec_out"), ("leg", "agent_ear"))
    return peer


def kinds(packets: list[RtpPacket]) -> list[int]:
    return [packet.payload_type for packet in packets]


def check_stream(packets: list[RtpPacket]) -> None:
    """Numbers without a gap, timestamps that grow."""
    first = packets[0]
    assert [(packet.sequence - first.sequence) & 0xFFFF for packet in packets] == list(range(len(packets)))
    times = [(packet.timestamp - first.timestamp) & 0xFFFFFFFF for packet in packets]
    assert times == sorted(times)


@pytest.mark.parametrize(("codec", "payload_type"), [("PCMU", 0), ("G722", 9)])
def test_a_pause_is_a_few_packets_of_noise(codec: str, payload_type: int) -> None:
    rig = Rig()
    peer = called(rig, codec=codec, payload_type=payload_type)
    say(rig, tone(500, 20 * FRAME))
    rig.tick(20 + 3 * SECOND)
    say(rig, tone(500, 20 * FRAME), "more")
    rig.tick(20)
    packets = peer.packets
    check_stream(packets)
    talk, pause, more = kinds(packets[:30]), packets[30:-20], packets[-20:]
    assert talk == [payload_type] * 30, "the words, and 200 ms of silence"
    assert kinds(pause) == [13, 13, 13], "at its beginning and every second"
    assert [packet.payload for packet in pause] == [bytes([127])] * 3, "ours is digital silence"
    assert not any(packet.marker for packet in pause)
    assert kinds(more) == [payload_type] * 20
    assert [packet.marker for packet in more] == [True] + [False] * 19
    elapsed = (more[0].timestamp - packets[0].timestamp) & 0xFFFFFFFF
    assert elapsed == (20 + 3 * SECOND) * FRAME, "time went on"


def test_who_did_not_agree_gets_silence_as_audio() -> None:
    rig = Rig()
    peer = called(rig, noise_payload_type=-1)
    rig.tick(3 * SECOND)
    assert kinds(peer.packets) == [0] * 3 * SECOND


def test_its_number_is_the_peers() -> None:
    rig = Rig()
    peer = called(rig, noise_payload_type=98)
    rig.tick(SECOND)
    assert kinds(peer.packets)[10:] == [98]
    peer.send_raw(peer.packet(bytes([50]), 98).to_bytes())
    rig.tick()
    assert rig.engine._bank.noise.on, "and theirs is understood under it"


def test_its_level_follows_our_silence() -> None:
    rig = Rig()
    called(rig)
    source = rig.open("friend", noise_payload_type=-1)
    peer = rig.open("third", noise_payload_type=13)
    rig.mix(("friend", "third"))
    numbers = np.random.default_rng(1)
    for tick in range(3 * SECOND):
        rms = 16.0 if tick < 2 * SECOND else 24.0  # -66 and -62.7 dBov
        source.say((numbers.standard_normal(FRAME) * rms).astype(np.int16))
        rig.tick()
    levels = [packet.payload[0] for packet in peer.packets if packet.payload_type == 13]
    assert abs(levels[1] - 66) <= 3
    assert abs(levels[-1] - 63) <= 3
    assert len(levels) < 12


@pytest.mark.parametrize("ptime_ms", [10, 30, 60])
def test_packets_of_other_lengths_pause_between_two_of_them(ptime_ms: int) -> None:
    rig = Rig()
    peer = called(rig, ptime_ms=ptime_ms)
    say(rig, tone(500, 20 * FRAME))
    rig.tick(20 + 2 * SECOND)
    say(rig, tone(500, 30 * FRAME), "more")
    rig.tick(36)
    check_stream(peer.packets)
    audio = [packet for packet in peer.packets if packet.payload_type == 0]
    assert {len(packet.payload) for packet in audio} == {8 * ptime_ms}
    noise = [place for place, packet in enumerate(peer.packets) if packet.payload_type == 13]
    assert 2 <= len(noise) <= 4
    after = peer.packets[noise[-1] + 1]
    assert after.marker
    assert power_at(peer.heard()[-60 * FRAME :][20 * FRAME :], 500) > 1000


def test_keys_go_out_in_a_pause() -> None:
    rig = Rig()
    peer = called(rig)
    rig.tick(SECOND)
    rig.do(m.SendDtmf(peer.leg_id, "5"))
    rig.tick(SECOND)
    assert [sent.digits for sent in rig.of(m.DtmfSent)] == ["5"]
    check_stream(peer.packets)
    assert 101 in kinds(peer.packets)
    assert kinds(peer.packets)[-1] in (13, 101)


def test_recordings_and_positions_know_nothing_of_it() -> None:
    rig = Rig()
    called(rig)
    rig.do(m.StartRecording(CallId("call"), "x.wav"))
    rig.tick(2 * SECOND)
    say(rig, tone(500, 10 * FRAME))
    rig.tick(SECOND)
    assert len(rig.recorder.right["call"]) == 3 * SECOND
    (finished,) = rig.of(m.PlayoutFinished)
    assert finished.sent_samples == 10 * FRAME


def test_a_leg_that_pauses_leaves_the_others_alone() -> None:
    rig = Rig()
    peer = called(rig)
    other = rig.open("other", "second")
    rig.mix(("agent", "other"), call_id="second")
    rig.tick(SECOND)
    check_stream(peer.packets)
    check_stream(other.packets)
    assert kinds(other.packets) == [0] * SECOND
    stats = rig.engine._bank.packets_sent(0), rig.engine._bank.octets_sent(0)
    assert stats == (11, 10 * FRAME + 1), "RTCP tells what was sent (RFC 3550 §6.4.1)"
