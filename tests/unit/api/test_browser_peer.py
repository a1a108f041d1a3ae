"""Our end of a WebRTC connection, by a second one of the same library as the browser."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from av.audio.frame import AudioFrame

from voicegw.api.browser_peer import QUEUE_FRAMES, BrowserPeer, Narrower, VoiceToBrowser
from voicegw.api.browser_ports import Pcm, PeerEvents
from voicegw.base.errors import RemoteProtocolError
from voicegw.gateway.worker_line import FRAME_SAMPLES

RATE_HZ = 48_000


def decoded(number: int, hz: float = 1000) -> AudioFrame:
    """The ``number``-th 20 ms of a tone as aiortc's decoder hands it out."""
    samples = np.arange(960) + number * 960
    pcm = (8000 * np.sin(2 * np.pi * hz * samples / RATE_HZ)).astype(np.int16)
    frame = AudioFrame.from_ndarray(np.repeat(pcm, 2).reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate, frame.time_base, frame.pts = RATE_HZ, Fraction(1, RATE_HZ), number * 960
    return frame


def test_narrowing_keeps_the_tone_and_its_level() -> None:
    narrower = Narrower()
    frames = [pcm for number in range(50) for pcm, _ in narrower.narrow(decoded(number))]
    assert {len(pcm) for pcm in frames} == {FRAME_SAMPLES}
    sound = np.concatenate(frames[5:45]).astype(float)
    assert np.argmax(np.abs(np.fft.rfft(sound))) * 8000 / len(sound) == pytest.approx(1000, abs=5)
    assert abs(sound).max() == pytest.approx(8000, rel=0.05)


def test_lost_packets_are_told_as_samples() -> None:
    narrower = Narrower()
    lost = [lost for number in (0, 1, 2, 5, 6) for _, lost in narrower.narrow(decoded(number))]
    assert sum(lost) == 2 * FRAME_SAMPLES


def test_a_new_beginning_is_no_loss() -> None:
    narrower = Narrower()
    lost = [lost for number in (0, 1, 5000, 3) for _, lost in narrower.narrow(decoded(number))]
    assert sum(lost) == 0


def test_what_is_too_late_to_be_heard_is_dropped() -> None:
    async def story() -> list[int]:
        voice = VoiceToBrowser()
        for level in range(QUEUE_FRAMES + 5):
            voice.put(np.full(FRAME_SAMPLES, level, dtype=np.int16))
        frames = [await voice.recv() for _ in range(QUEUE_FRAMES)]
        return [int(frame.to_ndarray()[0, 0]) for frame in frames]

    assert asyncio.run(story()) == list(range(5, QUEUE_FRAMES + 5))


@pytest.mark.parametrize(
    "offer",
    [
        "nonsense",
        "v=0\r\n",
        "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio x UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n",
    ],
)
def test_what_is_no_offer_is_refused(offer: str) -> None:
    async def story() -> None:
        peer = BrowserPeer([], PeerEvents(lambda _pcm, _lost: None, lambda: None, lambda: None))
        try:
            with pytest.raises(RemoteProtocolError):
                await peer.accept(offer)
        finally:
            await peer.close()

    asyncio.run(story())


def test_video_is_refused() -> None:
    async def story() -> None:
        far = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        far.addTrack(AudioStreamTrack())
        far.addTransceiver("video")
        await far.setLocalDescription(await far.createOffer())
        peer = BrowserPeer([], PeerEvents(lambda _pcm, _lost: None, lambda: None, lambda: None))
        try:
            with pytest.raises(RemoteProtocolError, match="one audio stream"):
                await peer.accept(far.localDescription.sdp)
        finally:
            await peer.close()
            await far.close()

    asyncio.run(story())


def test_both_ways_and_a_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real sockets, real encryption, real Opus."""
    # The library leaves loopback out, and a test must not depend on the other addresses of its machine.
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])

    async def story() -> None:
        heard, left = asyncio.Event(), asyncio.Event()

        def hear(pcm: Pcm, _lost: int) -> None:
            assert len(pcm) == FRAME_SAMPLES
            heard.set()

        peer = BrowserPeer([], PeerEvents(hear, left.set, lambda: None))
        far = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        far.addTrack(AudioStreamTrack())
        await far.setLocalDescription(await far.createOffer())
        answer = await peer.accept(far.localDescription.sdp)
        await far.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await heard.wait()
        peer.play(np.zeros(FRAME_SAMPLES, dtype=np.int16))
        for _ in range(5):
            peer.play(np.full(FRAME_SAMPLES, 1000, dtype=np.int16))
        frame = await far.getReceivers()[0].track.recv()
        assert isinstance(frame, AudioFrame)
        await far.close()
        await left.wait()
        await peer.close()

    asyncio.run(asyncio.wait_for(story(), 20))
