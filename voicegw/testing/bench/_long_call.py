"""Hours of calls through the media engine on a manual clock, with what each hour of them was like.

One call by each codec, each with its own drift of clocks, two of them encrypted. All are recorded to disk. The
cycle collector runs as it does in the worker: what it would not find there is not found here either.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import tracemalloc
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.wav_header import HEADER_BYTES
from voicegw.base.ids import CallId, UtteranceId
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.call.edges import AGENT, AGENT_EAR, RECORDED_IN, RECORDED_OUT
from voicegw.media import messages as m
from voicegw.media.config import FRAME_SAMPLES, SAMPLE_RATE_HZ, MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.ports.recorder import RecorderEnded, RecorderEvent
from voicegw.ports.vad import VadModel
from voicegw.server_media import DiskRecorder
from voicegw.testing.bench._call_phone import CIRCLE_FRAMES, Kind, Phone, onset
from voicegw.testing.bench._processes import use_of
from voicegw.testing.bench._speech_packets import CODECS
from voicegw.testing.impairment import Impairment
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.memory_network import MemoryNetwork
from voicegw.testing.probe_sounds import burst, voice

Pcm = NDArray[np.int16]

NETWORK: Final = Impairment(loss=0.002, jitter_ms=3)
"""A good line: nothing of it explains a latency that grows."""
PPM: Final = {"PCMU": 60.0, "PCMA": -60.0, "G722": 100.0, "opus": -100.0}
"""By how much the clock of each telephone is too fast; real ones are within 50."""
SECURE: Final = ("PCMU", "opus")
_SUITE: Final = "AES_CM_128_HMAC_SHA1_80"
_SERVER: Final = "10.0.0.1"
_ANSWER_FRAME: Final = 350
"""Of each circle: the agent says a burst and some words."""
_ANSWER_S: Final = 1.5
_TICKS_PER_HOUR: Final = 180_000
_COLLECT_TICKS: Final = 1500
"""As in the worker."""
_FRAME_S: Final = 0.02
_BYTES_OF_BOTH: Final = 4


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the call by one codec. Latencies are of bursts, in ms: what the server hears, the network's 20 ms
    included, and what it is told to say."""

    codec: str
    heard_ms: array[float]
    said_ms: array[float]
    lost_bursts: int


@dataclass(frozen=True, slots=True)
class Hold:
    """What the process holds at the end of a stretch: resident, traced by tracemalloc, and in how many blocks."""

    hours: float
    rss_kb: int
    traced_kb: float
    blocks: int


@dataclass(slots=True)
class LongResult:
    """What came of it: per codec, and of the process."""

    stretches: list[list[Stretch]] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    stats: dict[str, m.LegStats] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    gaps: dict[str, int] = field(default_factory=dict)
    """Where what the telephone received did not go on as it should, packets that it could not open included."""
    reported_short: dict[str, int] = field(default_factory=dict)
    """Packets between the last one said and the highest one in the server's last report."""
    recorded: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Samples in the file, samples that the call had, and samples dropped."""


class _Ears:
    """The recorder, with an ear on the left channel for the bursts of the telephones."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.disk = DiskRecorder()
        self.phones: dict[CallId, Phone] = {}
        self.heard_ms: dict[CallId, list[float]] = {}
        self.ended: dict[CallId, RecorderEnded] = {}
        self.start, self.stop, self.close = self.disk.start, self.disk.stop, self.disk.close
        self.skip = self.disk.skip

    def write(self, call_id: CallId, left: Pcm, right: Pcm) -> bool:
        phone, now = self.phones[call_id], self._clock.monotonic()
        if phone.said_at is not None:
            place = onset(left)
            if place is not None:
                rate_hz = len(left) / _FRAME_S
                self.heard_ms[call_id].append((now + place / rate_hz - phone.said_at) * 1000)
                phone.said_at = None
        return self.disk.write(call_id, left, right)

    def poll(self) -> Sequence[RecorderEvent]:
        events = self.disk.poll()
        self.ended |= {event.call_id: event for event in events if isinstance(event, RecorderEnded)}
        return events


class LongCall:
    """The calls, from :meth:`run` to :meth:`close`."""

    def __init__(
        self, folder: Path, codecs: Sequence[str], vad: VadModel | None, network: Impairment = NETWORK
    ) -> None:
        """``vad`` must have as many rows as there are codecs; ``folder`` takes the recordings."""
        self._folder = folder
        self._clock = ManualClock()
        self._begin = self._clock.monotonic()
        self._network = MemoryNetwork()
        self._ears = _Ears(self._clock)
        config = MediaConfig(max_legs=len(codecs))
        self._engine = MediaEngine(config, self._network, self._clock, _numbers(), self._ears, vad)
        self.result = LongResult()
        self.ticks = 0
        self.phones = [self._call(name, index, network) for index, name in enumerate(codecs)]
        self._answers = {phone: _answer(phone.kind.codec.rate_hz) for phone in self.phones}

    def _call(self, name: str, index: int, network: Impairment) -> Phone:
        secret = [bytes([40 + index + side]) * SRTP_SUITES[_SUITE].secret_bytes for side in (0, 100)]
        keys = m.LegKeys(_SUITE, *secret) if name in SECURE else None
        kind = Kind(CODECS[name], PPM[name], keys)
        phone = Phone(self._network, self._clock, kind, (f"192.0.2.{index + 1}", 20_000), network)
        self._ears.phones[phone.call], self._ears.heard_ms[phone.call] = phone, []
        self._do(m.OpenLeg(phone.leg, phone.call, _SERVER))
        phone.server = (_SERVER, next(iter(self._opened)))
        codec = kind.codec
        edges = ((phone.leg, AGENT_EAR), (phone.leg, RECORDED_IN), (AGENT, phone.leg), (AGENT, RECORDED_OUT))
        self._do(
            m.ConfigureLeg(phone.leg, *phone.address, codec.name, codec.payload_type, srtp=keys),
            m.SetMix(phone.call, tuple((source, sink, 1.0) for source, sink in edges)),
            m.StartRecording(phone.call, str(self._folder / f"{name}.wav")),
        )
        return phone

    def _do(self, *commands: m.Command) -> None:
        for command in commands:
            self._engine.handle(command, self._clock.monotonic())
        self._take_events()

    def _take_events(self) -> None:
        for event in self._engine.take_events():
            self.result.events[type(event).__name__] += 1
            if isinstance(event, m.LegOpened):
                self._opened = (event.port,)
            elif isinstance(event, m.LegClosed):
                self.result.stats[event.leg_id] = event.stats

    def run(self, ticks: int) -> None:
        """So much of the calls, and a note of how it was."""
        for _ in range(ticks):
            self._tick()
        self._note()

    def _tick(self) -> None:
        self.ticks += 1
        now = self._clock.advance_to(self._begin + self.ticks * _FRAME_S)
        for phone in self.phones:
            phone.talk(now)
            if self.ticks % CIRCLE_FRAMES == _ANSWER_FRAME:
                self._answer(phone, now)
        self._engine.tick(now)
        self._take_events()
        for phone in self.phones:
            phone.listen(now)
            phone.lost_burst(now)
        if self.ticks % _COLLECT_TICKS == 0:
            gc.collect(1)

    def _answer(self, phone: Phone, now: float) -> None:
        phone.await_burst(now)
        utterance = UtteranceId(f"{phone.leg}{self.ticks}")
        pcm, rate_hz = self._answers[phone], phone.kind.codec.rate_hz
        self._do(m.QueueAudio(phone.call, utterance, pcm, final=True, interruptible=False, rate_hz=rate_hz))

    def _note(self) -> None:
        stretches = []
        for phone in self.phones:
            heard, said = self._ears.heard_ms[phone.call], phone.heard_ms
            stretches.append(Stretch(phone.leg, array("d", heard), array("d", said), phone.lost_bursts))
            heard.clear()
            said.clear()
            phone.lost_bursts = 0
        use = use_of(os.getpid())
        assert use is not None
        traced = tracemalloc.get_traced_memory()[0] / 1024 if tracemalloc.is_tracing() else 0.0
        hours = self.ticks / _TICKS_PER_HOUR
        self.result.stretches.append(stretches)
        self.result.holds.append(Hold(hours, use.rss_kb, traced, sys.getallocatedblocks()))

    def close(self) -> LongResult:
        """Hang up, and look at what was left."""
        for phone in self.phones:
            self._do(m.CloseLeg(phone.leg), m.StopRecording(phone.call))
            self.result.gaps[phone.leg] = phone.gaps + phone.unopened
            self.result.reported_short[phone.leg] = phone.sequence - phone.reported_to
        self._engine.close()
        for phone in self.phones:
            ended = self._ears.ended[phone.call]
            samples = self.ticks * FRAME_SAMPLES * ended.rate_hz // SAMPLE_RATE_HZ
            in_file = (Path(ended.path).stat().st_size - HEADER_BYTES) // _BYTES_OF_BOTH
            self.result.recorded[phone.leg] = (in_file, samples, ended.dropped_samples)
        return self.result


def _answer(rate_hz: int) -> bytes:
    """What the agent says in each circle."""
    quiet = np.zeros(rate_hz // 4, np.int16)
    return np.concatenate([burst(rate_hz), quiet, voice(rate_hz, _ANSWER_S)]).tobytes()


def _numbers() -> Callable[[int], bytes]:
    """Random numbers by seed, but each leg's first timestamp and sequence number are near their end."""
    source = random.Random(11)

    def numbers(size: int) -> bytes:
        if size == 10:  # what a row of the engine begins with
            return source.randbytes(4) + b"\xff\xff\x00\x00" + b"\xfe\x00"
        return source.randbytes(size)

    return numbers
