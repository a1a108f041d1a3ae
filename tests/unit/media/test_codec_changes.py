from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import Peer, Rig, tone
from tests.unit.media.wide_phones import amplitude_at, tone16
from voicegw.audio import g722, opus
from voicegw.audio.g711 import Law, encode
from voicegw.base.ids import CallId, UtteranceId
from voicegw.media import messages as m
from voicegw.rtp.telephone_event import TelephoneEvent

BOTH_WAYS = (("caller", "agent_ear"), ("agent", "caller"))
CALL = CallId("call")
NUMBERS = {"PCMU": 0, "PCMA": 8, "G722": 9, "opus": 96}
HZ = 440.0


class Phone:
    """Speaks a sine of one phase in whatever codec it is told to."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.ticks = 0
        self._g722 = g722.Encoder()
        self._opus = opus.Encoder(opus.EncoderSettings(bitrate=32_000, complexity=5))

    def say(self, codec: str, *, drop: bool = False) -> None:
        narrow, wide = tone(HZ, start=160 * self.ticks), tone16(HZ, start=320 * self.ticks)
        late = self._opus.encode(wide)  # it looks ahead: one that began in mid-tone would itself begin with a step
        match codec:
            case "PCMU" | "PCMA":
                payload = encode(narrow, Law.ULAW if codec == "PCMU" else Law.ALAW).tobytes()
            case "G722":
                payload = self._g722.encode(wide)
            case _:
                payload = late
        step = 960 if codec == "opus" else 160
        packet = self.peer.packet(payload, NUMBERS[codec])
        self.peer.timestamp = (self.peer.timestamp + step) & 0xFFFFFFFF
        self.ticks += 1
        if not drop:
            self.peer.send_raw(packet.to_bytes())


def settings_of(codec: str) -> dict[str, object]:
    return {"codec": codec, "payload_type": NUMBERS[codec]}


def tapped(rig: Rig) -> tuple[np.ndarray, int]:
    pieces = [piece for batch in rig.of(m.AudioBatch) for piece in batch.frames]
    return np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2"), pieces[0].rate_hz


@pytest.mark.parametrize("first", ["PCMU", "PCMA", "G722", "opus"])
@pytest.mark.parametrize("second", ["PCMU", "PCMA", "G722", "opus"])
def test_a_reinvite_changes_the_codec_without_a_click(first: str, second: str) -> None:
    rig = Rig()
    phone = Phone(rig.open("caller", **settings_of(first)))
    rig.mix(*BOTH_WAYS)
    for tick in range(100):
        if tick == 50:
            rig.configure(phone.peer, **settings_of(second))
        phone.say(first if tick < 54 else second)  # what is on the way is still of the old one
        rig.tick()
    heard, rate_hz = tapped(rig)
    steepest = 8000 * 2 * np.pi * HZ / rate_hz
    body = heard[rate_hz // 5 :].astype(np.float64)
    assert np.abs(np.diff(body)).max() < 2.2 * steepest
    assert amplitude_at(heard[-rate_hz // 2 :], HZ, rate_hz) == pytest.approx(8000, rel=0.1)
    if "opus" not in (first, second):  # one clock: nothing is missing either
        levels = np.sqrt((body.reshape(-1, rate_hz // 100) ** 2).mean(axis=1))
        assert levels.min() > 3000
    assert rig.engine.counters.get("rtp_wrong_payload_type") == 0


def test_our_own_side_changes_at_once_and_takes_another_stream_for_another_clock() -> None:
    rig = Rig()
    phone = Phone(rig.open("caller", **settings_of("PCMU")))
    rig.mix(*BOTH_WAYS)
    rig.tick(5)
    for codec in ("G722", "opus"):
        rig.configure(phone.peer, **settings_of(codec))
        rig.tick(5)
    packets = phone.peer.packets
    assert [packet.payload_type for packet in packets] == [0] * 5 + [9] * 5 + [96] * 5
    assert [packet.marker for packet in packets[::5]] == [True, True, True]
    assert len({packet.ssrc for packet in packets[:10]}) == 1
    assert packets[10].ssrc != packets[9].ssrc
    assert packets[9].timestamp - packets[0].timestamp & 0xFFFFFFFF == 9 * 160


def test_a_peer_may_change_among_the_agreed_codecs_without_a_word() -> None:
    rig = Rig()
    peer = rig.open("caller", **settings_of("G722"), other_codecs=((8, "PCMA"), (96, "opus")))
    phone = Phone(peer)
    rig.mix(*BOTH_WAYS)
    for tick in range(160):
        phone.say(("G722", "PCMA", "opus", "G722")[tick // 40])
        rig.tick()
    heard, rate_hz = tapped(rig)
    assert rate_hz == 16000
    for part in range(4):
        piece = heard[12800 * part + 6400 : 12800 * part + 12800]
        assert amplitude_at(piece, HZ, rate_hz) == pytest.approx(8000, rel=0.1)


@pytest.mark.parametrize("ended", [True, False])
def test_keys_of_another_clock_may_have_older_timestamps(ended: bool) -> None:
    """Linphone goes on counting from where it was, by 8 kHz in place of 48, and gives keys the number of Opus."""
    rig = Rig()
    peer = rig.open("caller", codec="opus", payload_type=96, dtmf_payload_type=97, dtmf_clock_hz=48_000)
    rig.mix(*BOTH_WAYS)
    peer.timestamp = 90_000
    presses = [(97, TelephoneEvent(7, ended, 10, 4800)), (96, TelephoneEvent(8, True, 10, 800))]
    for payload_type, press in presses:
        peer.send_raw(peer.packet(press.to_bytes(), payload_type).to_bytes())
        rig.tick(2)
        rig.configure(peer, codec="PCMA", payload_type=8, dtmf_payload_type=96)
        peer.timestamp = 30_000
    assert [(key.digit, key.duration_ms) for key in rig.of(m.DtmfReceived)] == [("7", 100), ("8", 100)]


def test_what_was_not_agreed_is_refused() -> None:
    rig = Rig()
    phone = Phone(rig.open("caller", **settings_of("PCMU")))
    rig.mix(*BOTH_WAYS)
    for _ in range(10):
        phone.say("PCMA")
        rig.tick()
    assert rig.engine.counters.get("rtp_wrong_payload_type") == 10


def test_the_number_of_the_old_codec_may_mean_the_new_one() -> None:
    rig = Rig()
    peer = rig.open("caller", codec="PCMA", payload_type=96)
    phone = Phone(peer)
    rig.mix(*BOTH_WAYS)
    rig.configure(peer, codec="opus", payload_type=96)
    for _ in range(50):
        phone.say("opus")
        rig.tick()
    heard, rate_hz = tapped(rig)
    assert amplitude_at(heard[-rate_hz // 2 :], HZ, rate_hz) == pytest.approx(8000, rel=0.1)


def test_a_change_during_hold_counts_when_it_is_over() -> None:
    rig = Rig()
    peer = rig.open("caller", **settings_of("PCMU"))
    phone = Phone(peer)
    rig.mix(*BOTH_WAYS)
    for _ in range(20):
        phone.say("PCMU")
        rig.tick()
    rig.configure(peer, **settings_of("PCMA"), send=False, receive=False)
    rig.tick(20)
    rig.configure(peer, **settings_of("PCMA"))
    for _ in range(50):
        phone.say("PCMA")
        rig.tick()
    heard, rate_hz = tapped(rig)
    assert amplitude_at(heard[-rate_hz // 2 :], HZ, rate_hz) == pytest.approx(8000, rel=0.1)


def test_speech_goes_on_through_a_change() -> None:
    rig = Rig()
    peer = rig.open("caller", **settings_of("G722"))
    rig.mix(*BOTH_WAYS)
    rig.do(m.QueueAudio(CALL, UtteranceId("u"), tone16(HZ, 16000).tobytes(), final=True, rate_hz=16000))
    rig.tick(25)
    rig.configure(peer, **settings_of("PCMU"))
    rig.tick(30)
    assert [event.sent_samples for event in rig.of(m.PlayoutFinished)] == [8000]
