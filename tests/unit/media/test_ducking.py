"""Music under an announcement: lowered by 15 dB with ramps, raised again, and never a click."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.media.rig import Peer, Rig, power_at, tone
from voicegw.base.ids import CallId, UtteranceId
from voicegw.call.edges import ANNOUNCER, MUSIC
from voicegw.media import messages as m
from voicegw.media.ducking import DUCKED

FRAME = 160
MUSIC_HZ, VOICE_HZ = 700, 1500


def queue(rig: Rig, voice: str, pcm: NDArray[np.int16], name: str = "") -> None:
    audio = pcm.tobytes()
    rig.do(m.QueueAudio(CallId("call"), UtteranceId(name or voice), audio, True, False, voice))


def waiting(**settings: object) -> tuple[Rig, Peer]:
    rig = Rig()
    peer = rig.open("leg", **settings)
    rig.mix((ANNOUNCER, "leg"), (ANNOUNCER, "rec_out"))
    rig.do(m.StartRecording(CallId("call"), "x.wav"))
    return rig, peer


def levels(pcm: NDArray[np.int16], hz: float) -> list[float]:
    return [power_at(pcm[at : at + 2 * FRAME], hz) for at in range(0, len(pcm) - FRAME, 2 * FRAME)]


def test_music_goes_on_under_an_announcement_and_comes_back_after_it() -> None:
    rig, peer = waiting()
    queue(rig, MUSIC, tone(MUSIC_HZ, 200 * FRAME))
    rig.tick(50)
    queue(rig, ANNOUNCER, tone(VOICE_HZ, 40 * FRAME))
    rig.tick(150)
    heard = peer.heard()
    music, voice = levels(heard, MUSIC_HZ), levels(heard, VOICE_HZ)
    assert min(music[2:24]) > 7500
    assert np.mean(music[28:54]) == pytest.approx(8000 * DUCKED, rel=0.1), (
        "15 dB lower, 400 ms longer than the words"
    )
    assert min(voice[27:44]) > 7000
    assert min(music[58:98]) > 7500
    steps = np.abs(np.diff(heard.astype(int)))
    assert steps.max() < 1.2 * (8000 * 2 * np.pi * (MUSIC_HZ * DUCKED * 2 + VOICE_HZ) / 8000), "no click"
    recorded = np.concatenate(rig.recorder.right["call"])
    assert levels(recorded, MUSIC_HZ)[30:50] == pytest.approx(music[30:50], rel=0.1), "and so it is recorded"
    assert {event.utterance_id for event in rig.of(m.PlayoutFinished)} >= {ANNOUNCER}


def test_a_ramp_takes_fifty_to_sixty_milliseconds() -> None:
    rig, peer = waiting()
    queue(rig, MUSIC, np.full(100 * FRAME, 8000, np.int16))
    rig.tick(20)
    words = np.zeros(FRAME, np.int16)
    words[0] = 1
    queue(rig, ANNOUNCER, words)
    rig.tick(30)
    heard = peer.heard().astype(float)[20 * FRAME :]
    down = np.flatnonzero(heard < 8000 * DUCKED * 1.1)[0]
    assert 400 <= down <= 480
    up = (
        np.flatnonzero(heard[20 * FRAME :] > 7800)[0] - np.flatnonzero(heard[20 * FRAME :] > 8000 * DUCKED * 1.2)[0]
    )
    assert 360 <= up <= 480


def test_music_alone_and_music_that_ends() -> None:
    rig, peer = waiting(codec="G722", payload_type=9)
    queue(rig, MUSIC, tone(MUSIC_HZ, 10 * FRAME))
    rig.tick(15)
    assert [event.utterance_id for event in rig.of(m.PlayoutFinished)] == [MUSIC]
    queue(rig, ANNOUNCER, tone(VOICE_HZ, 10 * FRAME), "words")
    rig.do(m.CutPlayout(CallId("call"), MUSIC))
    rig.tick(15)
    assert [event.utterance_id for event in rig.of(m.PlayoutFinished)] == [MUSIC, "words"]
    assert len(peer.packets) == 30
