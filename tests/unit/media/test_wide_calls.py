from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import LevelVad, Rig, power_at, tone
from tests.unit.media.wide_phones import G722Phone, amplitude_at, tone16
from voicegw.base.ids import CallId, UtteranceId
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig

BOTH_WAYS = (("caller", "agent_ear"), ("agent", "caller"), ("caller", "rec_in"), ("agent", "rec_out"))
CALL = CallId("call")


def queued(pcm: np.ndarray, rate_hz: int, *, final: bool = True) -> m.QueueAudio:
    return m.QueueAudio(CALL, UtteranceId("u"), pcm.astype("<i2").tobytes(), final=final, rate_hz=rate_hz)


def tapped(rig: Rig) -> tuple[np.ndarray, set[int]]:
    """What the agent's ear got, and at which rates."""
    pieces = [piece for batch in rig.of(m.AudioBatch) for piece in batch.frames]
    return np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2"), {piece.rate_hz for piece in pieces}


def test_a_tone_above_4_khz_passes_in_both_directions() -> None:
    rig = Rig()
    phone = G722Phone(rig, "caller")
    rig.mix(*BOTH_WAYS)
    rig.do(m.StartRecording(CALL, "x.wav"), queued(tone16(6000, 16000), 16000))
    for _ in range(50):
        phone.say_tone(5000)
        rig.tick()
    heard, rates = tapped(rig)
    assert rates == {16000}
    assert amplitude_at(heard[4800:12800], 5000, 16000) == pytest.approx(8000, rel=0.1)
    assert amplitude_at(phone.heard()[4800:12800], 6000, 16000) == pytest.approx(8000, rel=0.1)
    recorded = np.concatenate(rig.recorder.left["call"])
    assert amplitude_at(recorded[4800:12800], 5000, 16000) == pytest.approx(8000, rel=0.1)


def test_compiled_coders_say_and_hear_the_same_to_the_bit_also_where_packets_are_lost_or_short() -> None:
    said, heard = [], []
    for compiled in (False, True):
        rig = Rig(MediaConfig(max_legs=16, g722_compiled=compiled))
        phones = [G722Phone(rig, "caller"), G722Phone(rig, "callee")]
        rig.mix(*BOTH_WAYS, ("caller", "callee"), ("callee", "caller"))
        rig.do(queued(tone16(6000, 8000), 16000))
        for number in range(40):
            phones[0].say(tone16(700, 320, 320 * number), drop=number % 7 == 3)
            for half in range(2):
                phones[1].say(tone16(2500, 160, 320 * number + 160 * half), drop=number == 11 and half == 1)
            rig.tick()
        said.append([phone.heard().tobytes() for phone in phones])
        heard.append(tapped(rig)[0].tobytes())
    assert said[0] == said[1] and heard[0] == heard[1]
    assert np.frombuffer(heard[0], np.int16).any()


def test_positions_are_told_in_samples_at_8_khz() -> None:
    rig = Rig()
    G722Phone(rig, "caller")
    rig.mix(*BOTH_WAYS)
    rig.do(queued(tone16(1000, 3200), 16000))
    rig.tick(12)
    assert [event.sent_samples for event in rig.of(m.PlayoutFinished)] == [1600]
    rig.do(m.StartRecording(CALL, "x.wav"))
    rig.tick(50)
    rig.do(m.StopRecording(CALL))
    rig.tick(20)
    assert rig.recorder.rates["call"] == 16000
    assert [event.samples for event in rig.of(m.RecordingEnded)] == [8000]


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_audio_of_the_other_rate_is_converted_seamlessly(rate_hz: int) -> None:
    rig = Rig()
    wide = rate_hz == 8000
    phone = G722Phone(rig, "caller") if wide else rig.open("caller")
    rig.mix(*BOTH_WAYS)
    whole = np.rint(8000 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz)).astype(np.int16)
    for piece in np.split(whole, 20):
        rig.do(queued(piece, rate_hz, final=False))
    rig.tick(45)
    heard, call_hz = phone.heard(), 16000 if wide else 8000
    middle = heard[call_hz // 5 : call_hz * 4 // 5]
    assert amplitude_at(middle, 1000, call_hz) == pytest.approx(8000, rel=0.06)

    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    bins = np.fft.rfftfreq(len(middle), 1 / call_hz)
    assert spectrum[np.abs(bins - 1000) > 60].max() < spectrum.max() / 50


def test_a_g711_leg_takes_part_in_a_wide_call() -> None:
    rig = Rig()
    caller = G722Phone(rig, "caller")
    callee = rig.open("callee")
    rig.mix(("caller", "callee"), ("callee", "caller"))
    for _ in range(50):
        caller.say_tone(1500)
        callee.say_tone(700)
        rig.tick()
    assert power_at(callee.heard()[2400:6400], 1500) == pytest.approx(8000, rel=0.1)
    assert amplitude_at(caller.heard()[4800:12800], 700, 16000) == pytest.approx(8000, rel=0.1)


def test_a_g722_leg_takes_part_in_a_narrow_call() -> None:
    rig = Rig()
    caller = rig.open("caller")
    callee = G722Phone(rig, "callee")
    rig.mix(("caller", "callee"), ("callee", "caller"), ("callee", "agent_ear"))
    for _ in range(50):
        caller.say_tone(700)
        callee.say_tone(1500)
        rig.tick()
    assert power_at(caller.heard()[2400:6400], 1500) == pytest.approx(8000, rel=0.1)
    assert amplitude_at(callee.heard()[4800:12800], 700, 16000) == pytest.approx(8000, rel=0.1)
    assert tapped(rig)[1] == {8000}


def test_narrow_and_wide_calls_side_by_side_do_not_hear_one_another() -> None:
    rig = Rig()
    wide = G722Phone(rig, "w", "wide")
    narrow = rig.open("n", "narrow")
    rig.mix(("w", "agent_ear"), ("agent", "w"), call_id="wide")
    rig.mix(("n", "agent_ear"), ("agent", "n"), call_id="narrow")
    rig.do(m.QueueAudio(CallId("wide"), UtteranceId("u"), tone16(6000, 16000).tobytes(), final=True, rate_hz=16000))
    rig.do(m.QueueAudio(CallId("narrow"), UtteranceId("v"), tone(700, 8000).tobytes(), final=True))
    for _ in range(50):
        wide.say_tone(5000)
        narrow.say_tone(1500)
        rig.tick()
    assert amplitude_at(wide.heard()[4800:12800], 6000, 16000) == pytest.approx(8000, rel=0.1)
    assert amplitude_at(wide.heard()[4800:12800], 700, 16000) < 100
    assert power_at(narrow.heard()[2400:6400], 700) == pytest.approx(8000, rel=0.1)


def test_speech_is_detected_on_a_wide_leg_at_the_same_time_as_on_a_narrow_one() -> None:
    onsets = {}
    for kind in ("wide", "narrow"):
        rig = Rig(vad=LevelVad())
        phone = G722Phone(rig, "caller") if kind == "wide" else rig.open("caller")
        rig.mix(*BOTH_WAYS)
        silence = np.zeros(320 if kind == "wide" else 160, np.int16)
        for tick in range(60):
            if tick < 20:
                phone.say(silence)
            else:
                phone.say_tone(700)
            rig.tick()
        onsets[kind] = rig.of(m.SpeechStarted)[0].onset_at
    assert onsets["wide"] == pytest.approx(onsets["narrow"], abs=0.02)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_g722_packet_is_filled_in(lost: int) -> None:
    rig = Rig()
    phone = G722Phone(rig, "caller")
    rig.mix(*BOTH_WAYS)
    for tick in range(50):
        phone.say(tone16(1000, 320, 320 * tick), drop=20 <= tick < 20 + lost)
        rig.tick()
    frames = tapped(rig)[0].reshape(-1, 320).astype(np.float64)
    levels = np.sqrt((frames**2).mean(axis=1))
    assert levels[5:].min() > 2500
    assert np.abs(np.diff(frames[5:].ravel())).max() < 6000


@pytest.mark.parametrize("ptime", [10, 30, 40, 60])
def test_packets_of_any_length_both_ways(ptime: int) -> None:
    rig = Rig()
    phone = G722Phone(rig, "caller", ptime_ms=ptime)
    rig.mix(*BOTH_WAYS)
    rig.do(queued(tone16(6000, 32000), 16000))
    due = 0
    for tick in range(90):
        while due <= 20 * tick:
            phone.say_tone(5000, 16 * ptime)
            due += ptime
        rig.tick()
    assert amplitude_at(tapped(rig)[0][8000:24000], 5000, 16000) == pytest.approx(8000, rel=0.1)
    assert {len(packet.payload) for packet in phone.audio_packets} == {8 * ptime}
    assert amplitude_at(phone.heard()[8000:24000], 6000, 16000) == pytest.approx(8000, rel=0.1)


def test_an_utterance_may_change_its_rate_in_the_middle() -> None:
    rig = Rig()
    phone = G722Phone(rig, "caller")
    rig.mix(*BOTH_WAYS)
    whole16, whole8 = tone16(1000, 8000), tone(1000, 4000, start=4000)
    rig.do(queued(whole16, 16000, final=False), queued(whole8, 8000, final=False), queued(whole16, 16000))
    rig.tick(80)
    assert [event.sent_samples for event in rig.of(m.PlayoutFinished)] == [12000]
    assert amplitude_at(phone.heard()[1600:22400], 1000, 16000) == pytest.approx(8000, rel=0.05)
