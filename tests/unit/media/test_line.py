"""Cleaning of what comes from telephones: by a processor that tests can compute, and by WebRTC's own."""

from __future__ import annotations

import subprocess
import types
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.media.rig import LevelVad, Rig, power_at, tone
from voicegw.audio import wav
from voicegw.audio.levels import apply_gain, db_to_gain, level_dbov
from voicegw.audio.resample import resample
from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.config import load_config
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.media.line import LineStage
from voicegw.media.line_config import LineConfig
from voicegw.server_media import line_processors, use

Pcm = NDArray[np.int16]
FRAME = 160


class Subtractor:
    """Knows the echo: half of what it is told was sent."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.sent: list[Pcm] = []

    def process(self, heard: Pcm, sent: Pcm) -> Pcm:
        assert len(heard) == len(sent) == self.rate_hz // 50
        self.sent.append(sent.copy())
        return (heard - sent // 2).astype(np.int16)


class Makers:
    """Remembers what it made."""

    def __init__(self) -> None:
        self.made: list[Subtractor] = []

    def __call__(self, rate_hz: int) -> Subtractor:
        self.made.append(Subtractor(rate_hz))
        return self.made[-1]


def say(rig: Rig, pcm: Pcm) -> None:
    rig.do(m.QueueAudio(CallId("call"), UtteranceId("words"), pcm.tobytes(), final=True))


def tapped(rig: Rig) -> Pcm:
    frames = [piece.pcm for batch in rig.of(m.AudioBatch) for piece in batch.frames]
    return np.frombuffer(b"".join(frames), np.int16)


def test_everybody_hears_what_was_cleaned() -> None:
    rig = Rig(MediaConfig(max_legs=4), line=Makers())
    peer, friend = rig.open("leg"), rig.open("friend", vad=False)
    rig.mix(("agent", "leg"), ("leg", "agent_ear"), ("leg", "friend"), ("leg", "rec_in"))
    rig.do(m.StartRecording(CallId("call"), "x.wav"))
    say(rig, tone(500, 20 * FRAME))
    for _ in range(20):
        back = peer.heard()[-FRAME:] if len(peer.packets) else np.zeros(FRAME, np.int16)
        peer.say((back // 2).astype(np.int16))
        rig.tick()
    # The subtractor knows of no delay, and the jitter buffer adds one of whole periods of the tone.
    recorded = np.concatenate(rig.recorder.left["call"])
    for heard in (tapped(rig)[-FRAME:], friend.heard()[-FRAME:], recorded[-FRAME:]):
        assert power_at(heard, 500) < 100
    assert power_at(peer.heard()[-FRAME:], 500) > 7000


def test_only_telephones_are_cleaned_and_each_at_its_rate() -> None:
    makers = Makers()
    rig = Rig(MediaConfig(max_legs=4), line=makers)
    rig.open("leg")
    rig.open("watcher", vad=False)
    rig.open("wide", codec="G722", payload_type=9)
    rig.mix(("agent", "leg"), ("agent", "wide"), ("leg", "wide"), ("wide", "leg"))
    rig.tick(3)
    assert sorted(each.rate_hz for each in makers.made) == [8000, 16000]


def test_a_leg_that_changes_its_codec_gets_another_processor() -> None:
    makers = Makers()
    rig = Rig(MediaConfig(max_legs=4), line=makers)
    peer = rig.open("leg", other_codecs=((9, "G722"),))
    rig.mix(("agent", "leg"), ("leg", "agent_ear"))
    say(rig, tone(500, 30 * FRAME))
    for _ in range(5):
        peer.say(tone(300))
        rig.tick()
    for _ in range(8):
        peer.send_raw(peer.packet(bytes(FRAME), 9).to_bytes())
        peer.timestamp = (peer.timestamp + FRAME) & 0xFFFFFFFF
        rig.tick()
    assert [each.rate_hz for each in makers.made] == [8000, 16000]
    assert power_at(makers.made[1].sent[-1][::2], 500) > 7000, "what is sent by 8 kHz is told at 16"


def test_keys_in_the_audio_are_looked_for_in_what_came() -> None:
    class Nothing(Subtractor):
        def process(self, heard: Pcm, sent: Pcm) -> Pcm:
            return np.zeros_like(heard)

    rig = Rig(MediaConfig(max_legs=4), line=Nothing)
    peer = rig.open("leg", dtmf_payload_type=-1, inband_keys=True)
    rig.mix(("agent", "leg"), ("leg", "agent_ear"))
    for _ in range(8):
        key = tone(770, start=peer.said) // 2 + tone(1336, start=peer.said) // 2
        peer.said += FRAME
        peer.say(key.astype(np.int16))
        rig.tick()
    for _ in range(8):
        peer.say(np.zeros(FRAME, np.int16))
        rig.tick()
    assert [press.digit for press in rig.of(m.DtmfReceived)] == ["5"]
    assert not tapped(rig).any()


@pytest.mark.parametrize("delay_ms", [100, 700])
def test_what_was_sent_is_held_back_for_an_echo_that_is_late(delay_ms: int) -> None:
    makers = Makers()
    rig = Rig(MediaConfig(max_legs=1), line=makers)
    peer = rig.open("leg")
    rig.mix(("agent", "leg"), ("leg", "agent_ear"))
    numbers = np.random.default_rng(1)
    syllables = np.repeat(numbers.uniform(0, 1, 60) ** 3, 10 * FRAME)
    words = (syllables * numbers.standard_normal(len(syllables)) * 8000).astype(np.int16)
    say(rig, words)
    lag = delay_ms * 8
    for tick in range(500):
        sent = np.concatenate([np.zeros(lag + FRAME, np.int16), peer.heard()[-lag - FRAME :]])
        peer.say((sent[-lag - FRAME :][:FRAME] // 5).astype(np.int16))
        rig.tick()
        if tick == 20:
            early = makers.made[0].sent[-1]
    assert early.any()
    newest = peer.heard()[-2 * FRAME : -FRAME]
    told = makers.made[0].sent[-1].astype(np.float64)
    at_once = abs(np.corrcoef(newest, told)[0, 1]) > 0.9
    assert at_once == (delay_ms == 100)
    if not at_once:
        everything = peer.heard()
        place = next(
            back
            for back in range(1, 60)
            if np.corrcoef(everything[len(everything) - (back + 1) * FRAME :][:FRAME], told)[0, 1] > 0.9
        )
        assert 480 <= place * 20 <= 600, "the echo is 100 to 220 ms after it"


@pytest.mark.parametrize(("rate_hz", "delay_ms"), [(8000, 60), (8000, 400), (16000, 173)])
def test_webrtc_takes_an_echo_away_and_leaves_the_caller(rate_hz: int, delay_ms: int) -> None:
    make = line_processors(LineConfig(echo_cancel="webrtc"))
    assert make is not None
    line, frame = make(rate_hz), rate_hz // 50
    numbers = np.random.default_rng(3)
    envelope = np.repeat(numbers.uniform(0, 1, 100) ** 2, 5 * frame)
    sent = (envelope * numbers.standard_normal(len(envelope)) * 6000).astype(np.int16)
    echo = np.concatenate([np.zeros(delay_ms * rate_hz // 1000), sent])[: len(sent)] / 10
    cleaned = np.concatenate(
        [
            line.process(echo[at : at + frame].astype(np.int16), sent[at : at + frame])
            for at in range(0, len(sent), frame)
        ]
    )
    late = slice(3 * rate_hz, None)
    erle_db = 10 * np.log10(np.mean(echo[late] ** 2) / max(1e-3, np.mean(cleaned[late].astype(float) ** 2)))
    assert erle_db > 20
    said = tone(300, 10 * frame)
    quiet = np.zeros(10 * frame, np.int16)
    heard = np.concatenate(
        [line.process(said[at : at + frame], quiet[:frame]) for at in range(0, len(said), frame)]
    )
    assert np.abs(heard).max() > 4000


def through(config: LineConfig, pcm: Pcm) -> Pcm:
    """All of ``pcm``, at 8 kHz, through one processor; nothing is sent meanwhile."""
    make = line_processors(config)
    assert make is not None
    line, nothing = make(8000), np.zeros(FRAME, np.int16)
    whole = len(pcm) // FRAME * FRAME
    return np.concatenate([line.process(pcm[at : at + FRAME], nothing) for at in range(0, whole, FRAME)])


def test_noise_is_lowered() -> None:
    noise = (np.random.default_rng(1).standard_normal(8000 * 6) * 200).astype(np.int16)
    left = through(LineConfig(noise_suppression="high"), noise)
    assert level_dbov(left[-16000:]) < level_dbov(noise[-16000:]) - 10


def test_a_quiet_voice_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "words.wav"
    words = "I would like to cancel my appointment, and to make another one in the week after next."
    subprocess.run(["flite", "-voice", "rms", "-t", words, "-o", str(path)], check=True, timeout=60)
    audio = wav.parse(path.read_bytes())
    voice = np.tile(resample(audio.samples[:, 0], audio.rate, 8000), 2)
    quiet = apply_gain(voice, db_to_gain(-38 - float(level_dbov(voice))))
    raised = through(LineConfig(gain_control="webrtc"), quiet)
    assert level_dbov(raised[len(raised) // 2 :]) > -38 + 6


def test_what_is_left_counts_only_after_the_canceller_has_learned() -> None:
    stage, rows = LineStage(1, Makers()), np.array([0], np.intp)
    sure, unsure = np.array([True]), np.array([False])
    loud = tone(500)[np.newaxis]
    leg = types.SimpleNamespace(row=0)
    assert stage.own(rows, loud, None) is None, "nobody asks"
    assert not stage.own(rows, loud, unsure)
    assert stage.own(rows, loud, sure)
    for _ in range(450):
        stage.own(rows, np.zeros_like(loud), unsure)
        stage.sent(rows, ((leg,), loud))  # type: ignore[arg-type]
    assert stage.own(rows, loud, unsure)
    stage.reset(0)
    assert not stage.own(rows, loud, unsure)
    only_noise = LineStage(1, Makers(), cancels=False)
    assert not only_noise.own(rows, loud, unsure)


def test_off_is_off() -> None:
    assert line_processors(LineConfig()) is None


def test_a_missing_package_is_an_error_with_the_key_and_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "voicegw.yaml"
    file.write_text("media:\n  line_processing:\n    echo_cancel: webrtc\n")
    assert load_config(file).media.line_processing.echo_cancel == "webrtc"
    monkeypatch.setattr("voicegw.media.line_config.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as refused:
        load_config(file)
    assert "media.line_processing" in str(refused.value)
    assert "voicegw[line]" in str(refused.value)
    file.write_text("media:\n  line_processing:\n    echo_cancel: 'off'\n")
    assert not load_config(file).media.line_processing.on


def test_telephones_that_call_from_then_on_are_cleaned_and_no_others() -> None:
    rig, first, second = Rig(MediaConfig(max_legs=4)), Makers(), Makers()
    for name in ("before", "first", "second", "after"):
        rig.open(name, name)
        rig.mix((name, "agent_ear"), call_id=name)
        rig.tick()
        after = {"before": first, "first": second}.get(name)
        if name != "after":
            rig.engine.line.use(after, cancels=after is first)
    assert (len(first.made), len(second.made)) == (1, 1)
    assert rig.engine.line.busy and rig.engine.line._cancelling.tolist().count(True) == 1
    rig.tick(5)
    rig.do(*(m.CloseLeg(LegId(name)) for name in ("first", "second")))
    rig.open("anew", "anew")
    rig.tick(5)
    assert (len(first.made), len(second.made)) == (1, 1) and not rig.engine.line.busy


def test_a_call_goes_on_when_cleaning_begins_beside_it() -> None:
    rig = Rig(MediaConfig(max_legs=4), LevelVad())
    old = rig.open("old")
    rig.mix(("old", "agent_ear"))
    rig.engine.line.use(Makers(), cancels=True)
    new = rig.open("new", "other", codec="G722", payload_type=9)
    rig.mix(("new", "agent_ear"), ("agent", "new"), call_id="other")
    for _ in range(30):
        old.say_tone(500)
        new.send_raw(new.packet(bytes(160), 9).to_bytes())
        rig.tick()
    assert [told.leg_id for told in rig.of(m.SpeechStarted)] == ["old"]
    heard = b"".join(one.pcm for batch in rig.of(m.AudioBatch) for one in batch.frames if one.call_id == "call")
    assert power_at(np.frombuffer(heard, np.int16)[-800:], 500) > 4000


def test_an_engine_that_runs_is_told_of_another_line(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, makers = Rig(MediaConfig(max_legs=4)), Makers()
    monkeypatch.setattr("voicegw.server_media.line_processors", lambda config: makers if config.on else None)
    wanted = MediaConfig(max_legs=4, line_processing=LineConfig(noise_suppression="high"))
    use(rig.engine, wanted)
    assert rig.engine.config == wanted
    rig.open("cleaned")
    rig.tick()
    use(rig.engine, MediaConfig(max_legs=4, tap_ms=20, line_processing=wanted.line_processing))
    rig.open("cleaned, too")
    rig.tick()
    use(rig.engine, MediaConfig(max_legs=4))
    rig.open("as it comes")
    rig.tick()
    assert len(makers.made) == 2

    def broken(_config: LineConfig) -> None:
        raise ImportError("half an installation")

    monkeypatch.setattr("voicegw.server_media.line_processors", broken)
    use(rig.engine, wanted)
    rig.open("the last")
    rig.tick()
    assert len(makers.made) == 2 and rig.engine.config == wanted
