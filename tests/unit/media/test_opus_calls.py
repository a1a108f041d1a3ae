from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.unit.media.rig import Rig, power_at
from tests.unit.media.wide_phones import OpusPhone, amplitude_at, tone16
from voicegw.audio import opus
from voicegw.base.ids import CallId, UtteranceId
from voicegw.media import messages as m
from voicegw.media.opus_stream import OpusReceiver
from voicegw.rtp.telephone_event import TelephoneEvent
from voicegw.sdp.opus_parameters import OpusParameters

BOTH_WAYS = (("caller", "agent_ear"), ("agent", "caller"))
CALL = CallId("call")


def played(rig: Rig, pcm: np.ndarray) -> None:
    rig.do(m.QueueAudio(CALL, UtteranceId("u"), pcm.astype("<i2").tobytes(), final=True, rate_hz=16000))


def tapped(rig: Rig) -> np.ndarray:
    pieces = [piece for batch in rig.of(m.AudioBatch) for piece in batch.frames]
    return np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2")


def speech_like(seconds: float) -> np.ndarray:
    """Something that Opus takes for a voice: a buzz of 120 Hz whose vowels change."""
    t = np.arange(round(16000 * seconds)) / 16000
    phase = 2 * np.pi * 120 * t + 4 * np.sin(2 * np.pi * 1.5 * t)
    buzz = sum(np.sin(k * phase) / (1 + (k - 5 - 3 * np.sin(2 * np.pi * 2 * t)) ** 2) for k in range(1, 30))
    return np.rint(6000 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))).astype(np.int16)


@pytest.mark.parametrize("ptime", [10, 20, 40, 60])
def test_packets_of_any_length_carry_the_wide_band_both_ways(ptime: int) -> None:
    rig = Rig()
    phone = OpusPhone(rig, ptime_ms=ptime)
    rig.mix(*BOTH_WAYS)
    played(rig, tone16(3000, 32000) // 2 + tone16(6000, 32000) // 2)
    due = 0
    for tick in range(90):
        while due <= 20 * tick:
            phone.say_tone(5000, 16 * ptime)
            due += ptime
        rig.tick()
    assert amplitude_at(tapped(rig)[8000:24000], 5000, 16000) > 2000  # a codec for voices, at 24 kbit/s
    packets = phone.audio_packets
    assert {opus.duration_ms(packet.payload) for packet in packets} == {ptime}
    steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)}
    assert steps == {48 * ptime}
    assert amplitude_at(phone.heard()[8000:24000], 6000, 16000) > 2000


def test_a_ptime_that_opus_does_not_have_is_rounded_down() -> None:
    rig = Rig()
    phone = OpusPhone(rig, ptime_ms=30)
    rig.mix(*BOTH_WAYS)
    rig.tick(10)
    assert {opus.duration_ms(packet.payload) for packet in phone.audio_packets} == {20}


def heard_of(voice: np.ndarray, lost: list[int], *, fec: bool) -> np.ndarray:
    """What the agent's ear gets when some packets are lost on the way, in frames."""
    rig = Rig()
    phone = OpusPhone(rig, wish=opus.EncoderSettings(bitrate=32_000, fec=fec, loss_percent=20, complexity=5))
    rig.mix(*BOTH_WAYS)
    for tick, piece in enumerate(voice.reshape(-1, 320)):
        phone.say(piece, drop=tick in lost)
        rig.tick()
    return tapped(rig).reshape(-1, 320).astype(np.float64)


def test_what_was_lost_is_taken_from_the_next_packet() -> None:
    voice, lost = speech_like(2.0), list(range(25, 90, 6))
    ratios = {}
    for fec in (False, True):
        whole, mended = heard_of(voice, [], fec=fec), heard_of(voice, lost, fec=fec)
        places = [tick + 2 for tick in lost]  # the delay of the jitter buffer
        noise = ((whole - mended)[places] ** 2).sum()
        ratios[fec] = 10 * np.log10((whole[places] ** 2).sum() / noise)
    assert ratios[True] > ratios[False] + 3


def test_silence_is_not_sent_where_the_peer_wishes_so() -> None:
    rig = Rig()
    phone = OpusPhone(rig, opus=OpusParameters(dtx=True))
    rig.mix(*BOTH_WAYS)
    played(rig, speech_like(1.0))
    rig.tick(200)
    packets = phone.audio_packets
    assert 50 <= len(packets) < 100
    assert [packet.sequence - packets[0].sequence & 0xFFFF for packet in packets] == list(range(len(packets)))
    gaps = [k for k in range(1, len(packets)) if packets[k].timestamp - packets[k - 1].timestamp & 0xFFFFFFFF > 960]
    assert gaps and all(packets[k].marker for k in gaps)


def test_silence_that_the_peer_does_not_send_is_no_loss() -> None:
    rig = Rig()
    phone = OpusPhone(rig, wish=opus.EncoderSettings(dtx=True))
    rig.mix(*BOTH_WAYS)
    voice = speech_like(1.0)
    for piece in np.concatenate([voice, np.zeros(32000, np.int16), voice]).reshape(-1, 320):
        phone.say(piece)
        rig.tick()
    assert phone.silent > 50
    rig.do(m.CloseLeg(phone.peer.leg_id))
    stats = rig.of(m.LegClosed)[0].stats
    assert stats.packets_lost == 0 and stats.concealed_samples <= 1600
    frames = tapped(rig).reshape(-1, 320).astype(np.float64)
    levels = np.sqrt((frames**2).mean(axis=1))
    assert levels[10:48].min() > 500 and levels[80:140].max() < 100 and levels[160:195].min() > 500


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 4, 5])
def test_timestamps_wrap_around_without_a_gap(offset: int) -> None:
    rig = Rig()
    phone = OpusPhone(rig)
    phone.peer.timestamp = 0x100000000 - 25 * 960 + offset
    rig.mix(*BOTH_WAYS)
    for _ in range(60):
        phone.say_tone(1000)
        rig.tick()
    frames = tapped(rig).reshape(-1, 320).astype(np.float64)
    assert np.sqrt((frames[8:] ** 2).mean(axis=1)).min() > 4000
    rig.do(m.CloseLeg(phone.peer.leg_id))
    stats = rig.of(m.LegClosed)[0].stats
    assert (stats.packets_late, stats.concealed_samples, stats.packets_lost) == (0, 0, 0)


def test_packets_that_come_too_late_too_early_or_twice() -> None:
    rig = Rig()
    phone = OpusPhone(rig)
    rig.mix(*BOTH_WAYS)
    held: list[bytes] = []
    for tick in range(60):
        payload = phone._encoder.encode(tone16(1000, 320, 320 * tick))
        held.append(phone.peer.packet(payload, 96).to_bytes())
        phone.peer.timestamp = (phone.peer.timestamp + 960) & 0xFFFFFFFF
        if tick % 3 == 2:  # three at once, the middle one twice, in the wrong order
            for place in (-1, -3, -2, -2):
                phone.peer.send_raw(held[place])
        rig.tick()
    frames = tapped(rig).reshape(-1, 320).astype(np.float64)
    assert np.sqrt((frames[25:] ** 2).mean(axis=1)).min() > 4000


def test_rubbish_is_silence_and_no_error() -> None:
    rig = Rig()
    phone = OpusPhone(rig)
    rig.mix(*BOTH_WAYS)
    rng = np.random.default_rng(1)
    for _ in range(100):
        phone.peer.send_raw(phone.peer.packet(rng.bytes(int(rng.integers(1, 200))), 96).to_bytes())
        phone.peer.timestamp = (phone.peer.timestamp + 960) & 0xFFFFFFFF
        rig.tick()
    for _ in range(50):
        phone.say_tone(1000)
        rig.tick()
    assert amplitude_at(tapped(rig)[-8000:], 1000, 16000) > 6000


def test_keys_at_48_khz_both_ways() -> None:
    rig = Rig()
    phone = OpusPhone(rig)
    rig.mix(*BOTH_WAYS)
    rig.tick(2)
    for duration in (960, 2880, 4800):
        event = TelephoneEvent(5, duration == 4800, 10, duration)
        phone.peer.send_raw(phone.peer.packet(event.to_bytes(), 101).to_bytes())
        rig.tick()
    assert [(event.digit, event.duration_ms) for event in rig.of(m.DtmfReceived)] == [("5", 100)]
    rig.do(m.SendDtmf(phone.peer.leg_id, "7", 100))
    rig.tick(20)
    events = [TelephoneEvent.parse(p.payload) for p in phone.peer.packets if p.payload_type == 101]
    assert [event.duration for event in events if not event.end] == [960, 1920, 2880, 3840]
    assert [event.duration for event in events if event.end] == [4800, 4800, 4800]


def test_opus_and_g711_in_one_call_hear_each_other() -> None:
    rig = Rig()
    caller = OpusPhone(rig)
    callee = rig.open("callee")
    rig.mix(("caller", "callee"), ("callee", "caller"))
    for _ in range(60):
        caller.say_tone(1500)
        callee.say_tone(700)
        rig.tick()
    assert power_at(callee.heard()[3200:8000], 1500) == pytest.approx(8000, rel=0.2)
    assert amplitude_at(caller.heard()[6400:16000], 700, 16000) == pytest.approx(8000, rel=0.2)


def test_reports_count_in_the_clock_of_opus() -> None:
    rig = Rig()
    phone = OpusPhone(rig)
    rig.mix(*BOTH_WAYS)
    for _ in range(600):
        phone.say_tone(1000)
        rig.tick()
    reports = rig.network.outbox[(phone.peer.address[0], phone.peer.address[1] + 1)]
    first, last = (int.from_bytes(reports[place][16:20], "big") for place in (0, -1))
    seconds = [int.from_bytes(reports[place][8:16], "big") / 2**32 for place in (0, -1)]
    assert ((last - first) & 0xFFFFFFFF) / (seconds[1] - seconds[0]) == pytest.approx(48000, rel=0.01)


@pytest.mark.parametrize(
    ("packet", "milliseconds"),
    [
        (b"", 0),
        (b"\x00", 10),
        (b"\x08\x00", 20),
        (b"\x18", 60),
        (b"\x60", 10),
        (b"\x80", 2.5),
        (b"\x49", 40),
        (b"\x0b\x03", 60),
        (b"\x0b\x3f", 0),
        (b"\x0b", 0),
    ],
)
def test_the_length_of_a_packet_is_in_its_first_bytes(packet: bytes, milliseconds: float) -> None:
    assert opus.duration_ms(packet) == milliseconds


def test_a_receiver_keeps_a_bounded_number_of_packets() -> None:
    receiver = OpusReceiver()
    for number in range(1000):
        receiver.keep(number, 960 * number, b"\x08\x00")
    assert len(receiver._packets) == 64
