"""One caller by one codec through one bad network, into the media engine on a manual clock."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.base.ids import CallId, LegId
from voicegw.call.edges import AGENT_EAR, RECORDED_IN
from voicegw.media import messages as m
from voicegw.media.config import FRAME_S, MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.ports.recorder import RecorderEvent
from voicegw.rtp.packet import RtpPacket
from voicegw.testing.bench._speech_packets import BenchCodec, encoder
from voicegw.testing.impairment import ImpairedPath, Impairment
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.memory_network import MemoryNetwork

Pcm = NDArray[np.int16]

_LEG, _CALL = LegId("caller"), CallId("call")
_TAIL_TICKS: Final = 30
"""After what is said: what waits longest in the buffer is heard, too."""
_SERVER: Final = "10.0.0.1"
_PHONE: Final = ("192.0.2.1", 20_000)


class _Ear:
    """A recorder that keeps the left channel."""

    def __init__(self) -> None:
        self.heard: list[Pcm] = []

    def start(self, _call_id: CallId, _path: str, _rate_hz: int = 8000) -> bool:
        return True

    def write(self, _call_id: CallId, left: Pcm, _right: Pcm) -> bool:
        self.heard.append(left.copy())
        return True

    def skip(self, _call_id: CallId, _samples: int) -> None:
        return None

    def stop(self, _call_id: CallId, *, discard: bool = False) -> None:
        del discard

    def poll(self) -> Sequence[RecorderEvent]:
        return ()

    def close(self) -> None:
        return None


class BadLine:
    """The call, from its beginning to :meth:`close`. ``for_recognisers`` is what their tap gave of the last
    sentence, ``heard`` what is recorded of it, from the moment at which it began to be said."""

    def __init__(self, codec: BenchCodec, impairment: Impairment, seed: int) -> None:
        self.codec = codec
        self._clock, self._network, self._ear = ManualClock(), MemoryNetwork(), _Ear()
        self._engine = MediaEngine(
            MediaConfig(max_legs=1), self._network, self._clock, random.Random(seed).randbytes, self._ear, None
        )
        self._path = ImpairedPath(impairment, seed)
        self._encode = encoder(codec)
        self._under_way: list[tuple[float, int, bytes]] = []
        self._sent = 0
        self.for_recognisers = bytearray()
        self.delays_ms: list[float] = []
        opened = self._do(m.OpenLeg(_LEG, _CALL, _SERVER))[0]
        assert isinstance(opened, m.LegOpened)
        self._place = (_SERVER, opened.port)
        self._do(
            m.ConfigureLeg(_LEG, *_PHONE, codec.name, codec.payload_type),
            m.SetMix(_CALL, ((_LEG, AGENT_EAR, 1.0), (_LEG, RECORDED_IN, 1.0))),
            m.StartRecording(_CALL, ""),
        )

    def _do(self, *commands: m.Command) -> list[m.Event]:
        for command in commands:
            self._engine.handle(command, self._clock.monotonic())
        return self._engine.take_events()

    @property
    def heard(self) -> Pcm:
        """What was heard since the last :meth:`say` began."""
        return np.concatenate(self._ear.heard)

    def say(self, pcm: Pcm) -> None:
        """Say it to its end, at the codec's rate, and be silent for a while."""
        self._ear.heard.clear()
        self.for_recognisers.clear()
        size = self.codec.rate_hz // 50
        frames = [*pcm[: len(pcm) // size * size].reshape(-1, size), *[np.zeros(size, np.int16)] * _TAIL_TICKS]
        for frame in frames:
            self._send(self._encode(frame))
            self._tick()

    def _send(self, payload: bytes) -> None:
        codec, number = self.codec, self._sent
        packet = RtpPacket(codec.payload_type, number & 0xFFFF, number * codec.step, 7, payload)
        self._sent += 1
        for arrival in self._path.arrivals(self._clock.monotonic()):
            heapq.heappush(self._under_way, (arrival, number, packet.to_bytes()))

    def _tick(self) -> None:
        now = self._clock.advance(FRAME_S)
        while self._under_way and self._under_way[0][0] <= now:
            self._network.deliver(heapq.heappop(self._under_way)[2], _PHONE, self._place)
        self._engine.tick(now)
        for event in self._engine.take_events():
            if isinstance(event, m.AudioBatch):
                for tapped in event.frames:
                    self.for_recognisers += tapped.pcm
        self._network.outbox.clear()
        self.delays_ms.append(self._engine.buffered_ms(_LEG))

    def close(self) -> m.LegStats:
        """Hang up."""
        closed = self._do(m.CloseLeg(_LEG))[-1]
        self._engine.close()
        assert isinstance(closed, m.LegClosed)
        return closed.stats
