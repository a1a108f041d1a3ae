"""Who hears whom, by tones; playout, recording and taps on the wire."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.unit.media.rig import SERVER_IP, LevelVad, Rig, power_at, tone
from voicegw.audio.g711 import Law, decode, encode
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig

CALL = CallId("call")
BASE = (("caller", "agent_ear"), ("caller", "rec_in"), ("agent", "caller"), ("agent", "rec_out"))


def agent_says(rig: Rig, name: str, samples: int, *, interruptible: bool = True) -> None:
    pcm = tone(2000, samples).tobytes()
    rig.do(m.QueueAudio(CALL, UtteranceId(name), pcm, final=True, interruptible=interruptible))


def test_two_legs_hear_each_other_and_not_themselves() -> None:
    rig = Rig()
    a, b = rig.open("a"), rig.open("b")
    rig.mix(("a", "b"), ("b", "a"))
    for _ in range(30):
        a.say_tone(400)
        b.say_tone(1000)
        rig.tick()
    for peer, own, other in ((a, 400, 1000), (b, 1000, 400)):
        heard = peer.heard()[1600:]
        assert power_at(heard, other) > 7000
        assert power_at(heard, own) < 50


def test_calls_do_not_hear_each_other() -> None:
    rig = Rig()
    a, b = rig.open("a", "one"), rig.open("b", "two")
    rig.mix(("a", "a"), call_id="one")
    rig.mix(("a", "b"), ("agent", "b"), call_id="two")
    for _ in range(10):
        a.say_tone(400)
        rig.tick()
    assert power_at(a.heard()[800:], 400) > 7000
    assert not b.heard().any()


def test_every_leg_is_sent_a_packet_each_tick_whatever_happens() -> None:
    rig = Rig()
    peer = rig.open("caller")
    rig.tick(10)
    assert not peer.heard().any()
    packets = peer.packets
    assert len(packets) == 10
    assert packets[0].marker and not any(p.marker for p in packets[1:])
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(packets)} == {1}
    assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)} == {160}


def test_the_recording_has_the_caller_left_and_what_was_sent_to_the_caller_right() -> None:
    rig = Rig()
    caller, _ = rig.open("caller"), rig.open("supervisor")
    rig.mix(*BASE, ("supervisor", "caller"), ("supervisor", "rec_out"))
    rig.do(m.StartRecording(CALL, "/somewhere/call.wav"))
    agent_says(rig, "u", 2000)
    for _ in range(30):
        caller.say_tone(400)
        rig.tick()
    rig.do(m.StopRecording(CALL))
    rig.tick(10)
    left, right = np.concatenate(rig.recorder.left["call"]), np.concatenate(rig.recorder.right["call"])
    assert power_at(left[1600:], 400) > 7000
    assert np.array_equal(decode(encode(right, Law.ULAW), Law.ULAW), caller.heard()[: len(right)])
    assert rig.of(m.RecordingStarted)[0].path == "/somewhere/call.wav"
    assert rig.of(m.RecordingEnded)[0].samples == 30 * 160


def test_the_agent_hears_the_caller_but_not_itself() -> None:
    rig = Rig()
    caller = rig.open("caller")
    rig.mix(*BASE)
    agent_says(rig, "u", 8000)
    for _ in range(30):
        caller.say_tone(400)
        rig.tick()
    batches = rig.of(m.AudioBatch)
    assert len(batches) == 10, "one for three ticks"
    ear = np.frombuffer(b"".join(f.pcm for batch in batches for f in batch.frames), np.int16)[1600:]
    assert power_at(ear, 400) > 7000
    assert power_at(ear, 2000) < 100  # 400 Hz has a little of it after μ-law
    rig.configure(caller, tap=False)
    rig.events.clear()
    rig.tick()
    assert not rig.of(m.AudioBatch)


def test_gains_apply() -> None:
    rig = Rig()
    a = rig.open("a")
    rig.do(m.SetMix(CALL, (("a", "a", 0.25),)))
    for _ in range(30):
        a.say_tone(400)
        rig.tick()
    assert power_at(a.heard()[1600:], 400) == pytest.approx(2000, rel=0.05)


def test_playout_is_counted_by_what_left_the_socket() -> None:
    rig = Rig()
    caller = rig.open("caller")
    rig.mix(*BASE)
    agent_says(rig, "u", 1000)
    rig.tick(3)
    rig.network.broken = True
    rig.tick(5)
    rig.network.broken = False
    rig.tick(7)
    started, finished = rig.of(m.PlayoutStarted)[0], rig.of(m.PlayoutFinished)[0]
    assert finished.sent_samples == 1000
    assert finished.at - started.at == pytest.approx(11 * 0.02)
    assert caller.heard()[:1000].tolist() == decode(encode(tone(2000, 1000), Law.ULAW), Law.ULAW).tolist()
    assert rig.engine.counters.get("rtp_send_errors") == 5


def test_on_hold_the_agent_waits() -> None:
    rig = Rig()
    caller = rig.open("caller", send=False, receive=False)
    rig.mix(*BASE)
    agent_says(rig, "u", 320)
    rig.tick(10)
    assert not rig.of(m.PlayoutStarted)
    rig.configure(caller)
    rig.tick(3)
    assert rig.of(m.PlayoutFinished)[0].sent_samples == 320
    assert len(caller.packets) == 3
    assert caller.packets[0].marker


def test_speech_pauses_the_agent_before_the_next_packet() -> None:
    rig = Rig(vad=LevelVad())
    caller = rig.open("caller")
    rig.mix(*BASE)
    agent_says(rig, "u", 16000)
    rig.tick(10)
    while not rig.of(m.SpeechStarted):
        caller.say_tone(400)
        rig.tick()
    started, paused = rig.of(m.SpeechStarted)[0], rig.of(m.PlayoutPaused)[0]
    assert started.paused
    assert started.at == paused.at == rig.clock.monotonic()
    assert started.at - 0.15 < started.onset_at < started.at
    heard = caller.heard()
    assert paused.sent_samples == len(heard) - 160
    assert heard[-160:-120].any() and not heard[-120:].any()
    rig.do(m.ResumePlayout(CALL))
    rig.tick()
    expected = tone(2000, 160, start=paused.sent_samples)[40:]
    assert caller.heard()[-120:].tolist() == decode(encode(expected, Law.ULAW), Law.ULAW).tolist()


def test_speech_does_not_pause_what_may_not_be_interrupted_nor_when_the_agent_does_not_listen() -> None:
    for interruptible, edges in ((False, BASE), (True, BASE[1:])):
        rig = Rig(vad=LevelVad())
        caller = rig.open("caller")
        rig.mix(*edges)
        agent_says(rig, "u", 16000, interruptible=interruptible)
        for _ in range(20):
            caller.say_tone(400)
            rig.tick()
        assert [event.paused for event in rig.of(m.SpeechStarted)] == [False]
        assert not rig.of(m.PlayoutPaused)


def test_speech_stops_are_told_also_when_the_leg_ends_or_is_held() -> None:
    rig = Rig(vad=LevelVad())
    caller = rig.open("caller")
    rig.mix(*BASE)

    def speak() -> None:
        for _ in range(15):
            caller.say_tone(400)
            rig.tick()

    speak()
    for _ in range(25):
        caller.say(np.zeros(160, np.int16))
        rig.tick()
    assert len(rig.of(m.SpeechStopped)) == 1
    stop = rig.of(m.SpeechStopped)[0]
    assert stop.offset_at < stop.at
    speak()
    rig.configure(caller, receive=False)
    assert len(rig.of(m.SpeechStopped)) == 2
    rig.configure(caller)
    speak()
    rig.do(m.CloseLeg(LegId("caller")))
    assert (len(rig.of(m.SpeechStarted)), len(rig.of(m.SpeechStopped))) == (3, 3)


@pytest.mark.parametrize("buffer_ms", [20, 40, 120])
def test_speech_is_dated_when_it_arrived_whatever_the_jitter_buffer(buffer_ms: int) -> None:
    config = MediaConfig(max_legs=16, jitter_start_ms=buffer_ms)
    rig = Rig(config, vad=LevelVad())
    caller = rig.open("caller")
    rig.mix(*BASE)
    arrived: list[float] = []
    for loud in [False] * 20 + [True] * 20 + [False] * 30:
        arrived.append(rig.clock.monotonic())  # its packet is read by the tick that follows, 20 ms later
        caller.say(tone(400) if loud else np.zeros(160, np.int16))
        rig.tick()
    started, paused, stopped = rig.of(m.SpeechStarted)[0], rig.of(m.SpeechPaused)[0], rig.of(m.SpeechStopped)[0]
    window_s = 0.032  # the model tells a window from the next, no more
    assert started.onset_at == pytest.approx(arrived[20], abs=window_s)
    assert stopped.offset_at == pytest.approx(arrived[40], abs=window_s)
    assert paused.offset_at == pytest.approx(stopped.offset_at)


def test_without_vad_the_model_is_not_asked() -> None:
    vad = LevelVad()
    rig = Rig(vad=vad)
    caller = rig.open("caller", vad=False)
    for _ in range(20):
        caller.say_tone(400)
        rig.tick()
    assert vad.windows == 0


@pytest.mark.parametrize(("ptime_ms", "per_second"), [(10, 100), (20, 50), (30, 33), (40, 25), (60, 16)])
def test_other_packet_times_out_and_in(ptime_ms: int, per_second: int) -> None:
    rig = Rig()
    caller = rig.open("caller", ptime_ms=ptime_ms)
    rig.mix(("caller", "caller"))
    size = ptime_ms * 8
    for tick in range(60):
        while caller.said < (tick + 1) * 160:
            caller.say_tone(400, size)
        rig.tick()
    packets = caller.packets
    assert len(packets) in (per_second * 6 // 5, per_second * 6 // 5 + 1)
    assert {len(p.payload) for p in packets} == {size}
    assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)} == {size}
    assert power_at(caller.heard()[3200:], 400) > 7000


def test_a_law_legs() -> None:
    rig = Rig()
    caller = rig.open("caller", codec="PCMA", payload_type=8)
    rig.mix(("caller", "caller"))
    for number in range(20):
        payload = encode(tone(400, start=160 * number), Law.ALAW).tobytes()
        packet = caller.packet(payload, 8)
        caller.timestamp = (caller.timestamp + 160) & 0xFFFFFFFF
        caller.send_raw(packet.to_bytes())
        rig.tick()
    payload = b"".join(p.payload for p in caller.packets)
    assert {p.payload_type for p in caller.packets} == {8}
    assert power_at(decode(np.frombuffer(payload, np.uint8), Law.ALAW)[1600:], 400) > 7000


def test_a_fixed_loss_pattern_is_concealed() -> None:
    rig = Rig()
    caller = rig.open("caller")
    rig.mix(("caller", "caller"))
    for number in range(100):
        caller.say(tone(400, start=160 * number), drop=number % 10 == 5)
        rig.tick()
    rig.do(m.CloseLeg(LegId("caller")))
    stats = rig.of(m.LegClosed)[0].stats
    assert (stats.packets_received, stats.packets_lost) == (90, 10)
    assert stats.concealed_samples == 10 * 160
    assert 1.0 < stats.mos < 4.4
    frames = caller.heard()[1600:].reshape(-1, 160).astype(float)
    assert np.sqrt((frames**2).mean(axis=1)).min() > 3000


def test_skipped_frames_advance_media_time() -> None:
    rig = Rig(MediaConfig(max_legs=4))
    caller = rig.open("caller")
    rig.tick(2)
    rig.engine.skip_frames(5)
    rig.tick()
    stamps = [p.timestamp for p in caller.packets]
    assert (stamps[2] - stamps[1]) & 0xFFFFFFFF == 6 * 160
    assert rig.engine.counters.get("lost_frames") == 5


@pytest.mark.parametrize(("codec", "rate_hz"), [("PCMU", 8000), ("G722", 16_000)])
def test_skipped_frames_are_silence_in_a_recording(codec: str, rate_hz: int) -> None:
    rig = Rig()
    rig.open("caller", codec=codec)
    rig.mix(*BASE)
    rig.do(m.StartRecording(CALL, "/x"))
    rig.tick(5)
    rig.engine.skip_frames(7)
    rig.tick(3)
    assert sum(map(len, rig.recorder.left[CALL])) == (5 + 7 + 3) * rate_hz // 50


def test_a_recording_that_is_not_wanted_is_discarded_and_told() -> None:
    rig = Rig()
    rig.open("caller")
    rig.mix(*BASE)
    rig.do(m.StartRecording(CALL, "/x"))
    rig.tick(5)
    rig.do(m.StopRecording(CALL, discard=True))
    rig.tick(10)
    assert rig.of(m.RecordingDiscarded) == [m.RecordingDiscarded(CALL, "/x")]
    assert not rig.of(m.RecordingEnded)


def test_a_closed_call_tells_its_playout_and_recording() -> None:
    rig = Rig()
    rig.open("caller")
    rig.mix(*BASE)
    rig.do(m.StartRecording(CALL, "/x"))
    agent_says(rig, "u", 1600)
    rig.tick(2)
    rig.do(m.CloseLeg(LegId("caller")))
    rig.tick(10)
    cut = rig.of(m.PlayoutCut)[0]
    assert (cut.sent_samples, cut.queued_samples) == (320, 1600)
    assert rig.of(m.RecordingEnded)
    assert rig.of(m.LegClosed)[0].stats.packets_sent == 2
    rig.do(m.QueueAudio(CALL, UtteranceId("v"), b""), m.CutPlayout(CALL), m.SendDtmf(LegId("caller"), "1"))
    assert rig.engine.counters.get("commands_for_unknown_call") == 2
    assert rig.engine.counters.get("commands_for_unknown_leg") == 1


def test_rows_are_used_again_without_a_trace_of_the_leg_before() -> None:
    rig = Rig(MediaConfig(max_legs=1))
    first = rig.open("a")
    rig.mix(("a", "a"))
    for _ in range(10):
        first.say_tone(400)
        rig.tick()
    rig.do(m.OpenLeg(LegId("b"), CALL, SERVER_IP))
    assert "row" in rig.of(m.LegFailed)[0].reason
    rig.do(m.CloseLeg(LegId("a")))
    second = rig.open("b", "other")
    rig.mix(("b", "b"), call_id="other")
    rig.tick(10)
    assert not second.heard().any()
    rig.do(m.CloseLeg(LegId("b")))
    assert rig.of(m.LegClosed)[1].stats.packets_received == 0
