"""A media engine that ticks as fast as it can: real sockets and packets, but a clock that only the rig moves.

Before each tick the packets of it are put into the sockets of the engine, and after it what was sent is taken away;
only the tick between is timed. So what is measured is the work of a worker, and neither its load generator nor
what else runs on the machine has a part in it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.inference.vad.silero import SileroVad
from voicegw.media.config import FRAME_S, MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.media.messages import ConfigureLeg, LegKeys, LegOpened, OpenLeg, QueueAudio, SetMix
from voicegw.media.outbox import Outbox
from voicegw.media.sockets import UdpNetwork
from voicegw.ports.recorder import RecorderEvent
from voicegw.rtp.srtp import SrtpKey, SrtpSender
from voicegw.testing.bench._rtp_batches import SUITE, Listener, Talkers, open_socket
from voicegw.testing.bench._speech_packets import BenchCodec, BenchSpeech
from voicegw.testing.manual_clock import ManualClock

SPEAKING: Final = 0.4
"""Share of the callers who speak at a time."""
_OUTBOX_BYTES: Final = 1024 * 1024
_AGENT_S: Final = 20
"""Audio that is queued for each agent at once."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the engine has to do."""

    codec: BenchCodec
    legs: int
    vad: bool = True
    srtp: bool = False

    @property
    def config(self) -> MediaConfig:
        """Of the worker that is to do it."""
        return MediaConfig(g722_compiled=self.codec.compiled)


@dataclass(frozen=True, slots=True)
class Spent:
    """Time in the ticks alone, seconds: of this thread on a processor, and by the clock on the wall."""

    ticks: int
    cpu_s: float
    wall_s: float


class NoRecorder:
    """Nothing is recorded."""

    def start(self, *_what: object, **_how: object) -> bool:
        return False

    def write(self, *_what: object) -> bool:
        return False

    def skip(self, *_what: object) -> None:
        return None

    def stop(self, *_what: object, **_how: object) -> None:
        return None

    def poll(self) -> Sequence[RecorderEvent]:
        return ()

    def close(self) -> None:
        return None


class MediaRig:
    """An engine with the calls of ``load``, in each a caller, an agent who speaks, and an ear."""

    def __init__(self, load: Load, speech: BenchSpeech, config: MediaConfig | None = None) -> None:
        self._load, self._speech = load, speech
        config = config or load.config
        self._clock = ManualClock()
        vad = SileroVad(config.max_legs) if load.vad else None
        self.engine = MediaEngine(config, UdpNetwork(), self._clock, os.urandom, NoRecorder(), vad)
        self._socket = open_socket()
        secret = os.urandom(SRTP_SUITES[SUITE].secret_bytes)
        keys = LegKeys(SUITE, secret, secret) if load.srtp else None
        ports = [self._open(number, keys) for number in range(load.legs)]
        sealer = SrtpSender(SrtpKey(SUITE, secret)) if load.srtp else None
        codec, talking = load.codec, int(load.legs * SPEAKING)
        self._talkers = Talkers(
            self._socket.fileno(), ports, speech.packets, talking, sealer, codec.payload_type, codec.step
        )
        self._listener = Listener(self._socket.fileno())
        self._gateway, ours = socket.socketpair()
        for end in (self._gateway, ours):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _OUTBOX_BYTES)
        self._outbox = Outbox(ours, config.outbox_bytes, self.engine.counters)
        self._ours = ours
        self._ticks = 0
        self.received = 0
        """Packets that the engine has sent and that arrived."""

    def _open(self, number: int, keys: LegKeys | None) -> int:
        leg, call, codec = LegId(f"leg{number}"), CallId(f"call{number}"), self._load.codec
        now, port = self._clock.monotonic(), self._socket.getsockname()[1]
        self.engine.handle(OpenLeg(leg, call, "127.0.0.1"), now)
        opened = self.engine.take_events()[-1]
        assert isinstance(opened, LegOpened), opened
        self.engine.handle(ConfigureLeg(leg, "127.0.0.1", port, codec.name, codec.payload_type, srtp=keys), now)
        self.engine.handle(SetMix(call, ((leg, "agent_ear", 1.0), ("agent", leg, 1.0))), now)
        return opened.port

    def run(self, ticks: int) -> Spent:
        """So many frames of media time."""
        cpu_s = wall_s = 0.0
        for _ in range(ticks):
            if self._ticks % (_AGENT_S * 50) == 0:
                self._speak()
            self._talkers.send(0, self._load.legs)
            now = self._clock.advance(FRAME_S)
            wall, cpu = time.perf_counter(), time.thread_time()
            self.engine.tick(now)
            self._outbox.put(self.engine.take_events())
            self._outbox.flush()
            cpu_s += time.thread_time() - cpu
            wall_s += time.perf_counter() - wall
            self._ticks += 1
            self._take()
        return Spent(ticks, cpu_s, wall_s)

    def _speak(self) -> None:
        """All agents say something that is a little longer than until the next time."""
        rate_hz = self._load.codec.rate_hz
        pcm = np.resize(self._speech.agent, _AGENT_S * rate_hz).astype(np.int16).tobytes()
        for number in range(self._load.legs):
            utterance = UtteranceId(f"utterance{number}.{self._ticks}")
            audio = QueueAudio(
                CallId(f"call{number}"), utterance, pcm, final=True, interruptible=False, rate_hz=rate_hz
            )
            self.engine.handle(audio, self._clock.monotonic())

    def _take(self) -> None:
        self._listener.read()
        self.received += sum(len(stamps) for _, _, stamps in self._listener.batches)
        self._listener.batches.clear()
        with suppress(BlockingIOError):
            while self._gateway.recv(_OUTBOX_BYTES):
                pass

    def close(self) -> None:
        """Give all sockets back."""
        self.engine.close()
        for sock in (self._socket, self._gateway, self._ours):
            sock.close()


@contextmanager
def rig(load: Load, speech: BenchSpeech) -> Iterator[MediaRig]:
    """One that is closed at the end."""
    made = MediaRig(load, speech)
    try:
        yield made
    finally:
        made.close()
