"""The far end of a browser's WebRTC connection. The only module that imports aiortc, which is an optional package.

Opus at 48 kHz towards the browser, plain samples at 8 kHz towards us: a telephone call has no more to give.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
from aiortc import (
    InvalidAccessError,
    InvalidStateError,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, OperationError
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from voicegw.api.browser_ports import IceAccount, Pcm, PeerEvents
from voicegw.base.errors import RemoteProtocolError
from voicegw.gateway.worker_line import FRAME_SAMPLES, RATE_HZ

QUEUE_FRAMES: Final = 10
"""Audio that waits for the encoder: more than 200 ms is dropped, oldest first, instead of being heard late."""
MAX_GAP_S: Final = 2.0
"""A jump of the browser's timestamps beyond it is a new beginning, not lost packets."""
_SERVER_RATE_HZ: Final = 48_000

# aiortc's parser answers what it cannot read with whatever its Python raises.
_UNREADABLE: Final = (
    *(InvalidAccessError, InvalidStateError, InternalError, OperationError),
    *(ValueError, LookupError, AssertionError, AttributeError, TypeError),
)


class VoiceToBrowser(MediaStreamTrack):
    """What the supervisor hears."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._frames: asyncio.Queue[Pcm] = asyncio.Queue(QUEUE_FRAMES)
        self._samples = 0

    def put(self, pcm: Pcm) -> None:
        """20 ms to be heard."""
        if self._frames.full():
            self._frames.get_nowait()
        self._frames.put_nowait(pcm)

    async def recv(self) -> AudioFrame:
        """The next frame, for aiortc's encoder."""
        pcm = await self._frames.get()
        # Both channels by ourselves: what aiortc makes of one is 3 dB quieter.
        frame = AudioFrame.from_ndarray(np.repeat(pcm, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = RATE_HZ
        frame.time_base = Fraction(1, RATE_HZ)
        frame.pts = self._samples
        self._samples += len(pcm)
        return frame


class Narrower:
    """From decoded frames of the browser to 20 ms frames at 8 kHz, with the gaps that lost packets left."""

    def __init__(self) -> None:
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ, frame_size=FRAME_SAMPLES)
        self._expected: int | None = None

    def narrow(self, frame: AudioFrame) -> list[tuple[Pcm, int]]:
        """Each frame with the number of samples (8 kHz) lost before it."""
        lost = self._lost(frame)
        frame.pts = None  # The filter would fill gaps or refuse them; they are told instead.
        narrowed = [one.to_ndarray().reshape(-1).astype(np.int16) for one in self._resampler.resample(frame)]
        return [(pcm, lost if number == 0 else 0) for number, pcm in enumerate(narrowed)]

    def _lost(self, frame: AudioFrame) -> int:
        pts, rate = frame.pts, frame.sample_rate or _SERVER_RATE_HZ
        if pts is None:
            return 0
        gap = 0 if self._expected is None else pts - self._expected
        self._expected = pts + frame.samples
        return gap * RATE_HZ // rate if 0 < gap <= MAX_GAP_S * rate else 0


class BrowserPeer:
    """One peer connection. Answers one offer."""

    def __init__(self, servers: Sequence[IceAccount], events: PeerEvents) -> None:
        ice = [RTCIceServer(one.url, one.username or None, one.credential or None) for one in servers]
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=ice))
        self._events = events
        self._voice = VoiceToBrowser()
        self._reading: asyncio.Task[None] | None = None
        self._connection.on("track", self._on_track)
        self._connection.on("connectionstatechange", self._on_state)

    async def accept(self, offer: str) -> str:
        """The answer to an SDP offer (JSEP, RFC 8829) with all candidates in it.

        Raises RemoteProtocolError for one that makes no sense or has not exactly one sound of its own.
        """
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            kinds = [transceiver.kind for transceiver in self._connection.getTransceivers()]
            if kinds != ["audio"] or self._reading is None:
                raise RemoteProtocolError("the offer must be of one audio stream in both directions")
            self._connection.addTrack(self._voice)
            await self._connection.setLocalDescription(await self._connection.createAnswer())
        except _UNREADABLE as error:
            raise RemoteProtocolError(f"the offer cannot be answered: {error}") from None
        return str(self._connection.localDescription.sdp)

    def play(self, pcm: Pcm) -> None:
        """20 ms for the supervisor's ears."""
        self._voice.put(pcm)

    async def close(self) -> None:
        """End the connection; the browser is told."""
        self._voice.stop()
        await self._connection.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._reading is None:
            self._reading = asyncio.create_task(self._read(track), name="browser audio")

    async def _read(self, track: MediaStreamTrack) -> None:
        narrower = Narrower()
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if isinstance(frame, AudioFrame):
                for pcm, lost in narrower.narrow(frame):
                    self._events.heard(pcm, lost)

    def _on_state(self) -> None:
        match self._connection.connectionState:
            case "failed":
                self._events.lost()
            case "closed":
                self._events.left()
            case _:
                pass
