"""Comfort noise (RFC 3389) between us and FFmpeg, in both directions.

FFmpeg plays all of it some 6 dB below what a packet says, its own too: it is compared with that. It describes the
spectrum of its noise behind the level (§3.2); ours is a level alone, and the spectrum of others is not followed.
"""

from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.media.rig import Rig
from voicegw.audio.levels import level_dbov
from voicegw.base.ids import CallId, UtteranceId
from voicegw.media import messages as m

Pcm = NDArray[np.int16]
NOISE = 13
SECOND = 50
FRAMES_OF_FFMPEG = 25
"""Of 80 ms each."""


def white(dbov: float, samples: int) -> Pcm:
    drawn = np.random.default_rng(3).standard_normal(samples) * 32768 * 10 ** (dbov / 20)
    return np.clip(np.rint(drawn), -32768, 32767).astype(np.int16)


def level(pcm: Pcm) -> float:
    return float(level_dbov(pcm.reshape(1, -1))[0])


def encoded_by_ffmpeg(pcm: Pcm) -> list[bytes]:
    encoder = av.CodecContext.create("comfortnoise", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    payloads = []
    for start in range(0, len(pcm), 640):
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis, start : start + 640], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 8000, start
        payloads += [bytes(packet) for packet in encoder.encode(frame)]
    return payloads


def decoded_by_ffmpeg(payload: bytes) -> Pcm:
    decoder = av.CodecContext.create("comfortnoise", "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    packets = [av.Packet(payload) for _ in range(FRAMES_OF_FFMPEG)]
    return np.concatenate([frame.to_ndarray()[0] for packet in packets for frame in decoder.decode(packet)])


@pytest.mark.parametrize("dbov", [-62, -68, -74])
def test_ffmpeg_hears_the_level_of_our_silence(dbov: int) -> None:
    silence = white(dbov, FRAMES_OF_FFMPEG * 640)
    rig = Rig()
    peer = rig.open("leg", noise_payload_type=NOISE)
    rig.mix(("agent", "leg"))
    rig.do(m.QueueAudio(CallId("call"), UtteranceId("quiet"), silence.tobytes(), final=True))
    rig.tick(SECOND)
    ours = [packet.payload for packet in peer.packets if packet.payload_type == NOISE]
    assert ours, "a pause began"
    theirs = encoded_by_ffmpeg(silence)[-1]
    assert list(ours[-1]) == pytest.approx([-dbov], abs=2)
    assert level(decoded_by_ffmpeg(ours[-1])) == pytest.approx(level(decoded_by_ffmpeg(theirs)), abs=4)


@pytest.mark.parametrize("dbov", [-30, -40, -50, -60, -70])
def test_the_silence_of_ffmpeg_sounds_as_loud_as_it_was(dbov: int) -> None:
    payload = encoded_by_ffmpeg(white(dbov, FRAMES_OF_FFMPEG * 640))[-1]
    assert len(payload) == 11, "a level and ten coefficients"
    rig = Rig()
    peer = rig.open("caller", noise_payload_type=NOISE)
    rig.mix(("caller", "agent_ear"))
    for _ in range(SECOND // 2):
        peer.say(white(-80, 160))
        rig.tick()
    peer.send_raw(peer.packet(payload, NOISE).to_bytes())
    before = len(rig.of(m.AudioBatch))
    rig.tick(SECOND)
    frames = [piece.pcm for batch in rig.of(m.AudioBatch)[before:] for piece in batch.frames]
    heard = np.frombuffer(b"".join(frames), "<i2")
    assert level(heard[len(heard) // 2 :]) == pytest.approx(dbov, abs=3)
