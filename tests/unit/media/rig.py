"""A media engine on a manual clock and a network in memory, with peers that send and hear."""

from __future__ import annotations

import random
import zlib
from collections import defaultdict
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.g711 import Law, decode, encode
from voicegw.base.ids import CallId, LegId
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.media.sockets import Address
from voicegw.ports.line import LineProcessors
from voicegw.ports.recorder import RecorderDiscarded, RecorderEnded, RecorderEvent, RecorderStarted
from voicegw.ports.vad import VadModel
from voicegw.rtp.packet import RtpPacket
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.memory_network import MemoryNetwork

E = TypeVar("E")
Pcm = NDArray[np.int16]
SERVER_IP = "10.0.0.1"


class MemoryRecorder:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.left: defaultdict[str, list[Pcm]] = defaultdict(list)
        self.right: defaultdict[str, list[Pcm]] = defaultdict(list)
        self._paths: dict[CallId, str] = {}
        self.rates: dict[str, int] = {}
        self._events: list[RecorderEvent] = []

    def start(self, call_id: CallId, path: str, rate_hz: int = 8000) -> bool:
        if call_id in self._paths:
            return False
        self._paths[call_id], self.rates[call_id] = path, rate_hz
        self._events.append(RecorderStarted(call_id, path))
        return True

    def write(self, call_id: CallId, left: Pcm, right: Pcm) -> bool:
        self.left[call_id].append(left.copy())
        self.right[call_id].append(right.copy())
        return True

    def skip(self, call_id: CallId, samples: int) -> None:
        self.write(call_id, np.zeros(samples, np.int16), np.zeros(samples, np.int16))

    def stop(self, call_id: CallId, *, discard: bool = False) -> None:
        samples, path = sum(map(len, self.left[call_id])), self._paths.pop(call_id)
        ended = (
            RecorderDiscarded(call_id, path)
            if discard
            else RecorderEnded(call_id, path, samples, 0, self.rates[call_id])
        )
        self._events.append(ended)

    def poll(self) -> list[RecorderEvent]:
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        for call_id in list(self._paths):
            self.stop(call_id)


class LevelVad:
    """Says "speech" for windows above a level: a model whose verdict a test can compute by hand."""

    window_samples = 256

    def __init__(self) -> None:
        self.windows = 0
        self.resets: list[int] = []

    def probabilities(self, rows: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self.windows += len(rows)
        return (np.sqrt(np.mean(windows**2, axis=1)) > 0.05).astype(np.float32)

    def reset(self, row: int) -> None:
        self.resets.append(row)


def tone(hz: float, samples: int = 160, amplitude: float = 8000.0, start: int = 0) -> Pcm:
    """A sine whose phase fits to ``start``."""
    return np.rint(amplitude * np.sin(2 * np.pi * hz * (np.arange(samples) + start) / 8000)).astype(np.int16)


def power_at(pcm: Pcm, hz: float) -> float:
    """Amplitude of one frequency in ``pcm``."""
    phase = np.exp(-2j * np.pi * hz * np.arange(len(pcm)) / 8000)
    return float(2 * abs(np.dot(pcm, phase)) / max(1, len(pcm)))


class Peer:
    """A telephone: sends packets to its leg and hears what the leg sends."""

    def __init__(self, rig: Rig, leg_id: str, port: int, address: Address) -> None:
        self.rig = rig
        self.leg_id = LegId(leg_id)
        self.server: Address = (SERVER_IP, port)
        self.address = address
        self.sequence = 65530
        self.timestamp = 0xFFFFF000
        self.ssrc = zlib.crc32(leg_id.encode())
        self.said = 0

    def send_raw(self, data: bytes, source: Address | None = None) -> None:
        self.rig.network.deliver(data, source or self.address, self.server)

    def say(self, pcm: Pcm, *, drop: bool = False, payload_type: int = 0, marker: bool = False) -> None:
        """Send one packet of any length (or lose it on the way)."""
        packet = self.packet(encode(pcm, Law.ULAW).tobytes(), payload_type, marker=marker)
        self.timestamp = (self.timestamp + len(pcm)) & 0xFFFFFFFF
        if not drop:
            self.send_raw(packet.to_bytes())

    def packet(self, payload: bytes, payload_type: int = 0, *, marker: bool = False) -> RtpPacket:
        """The next packet of the stream."""
        packet = RtpPacket(payload_type, self.sequence, self.timestamp, self.ssrc, payload, marker)
        self.sequence = (self.sequence + 1) & 0xFFFF
        return packet

    def say_tone(self, hz: float, samples: int = 160) -> None:
        self.say(tone(hz, samples, start=self.said))
        self.said += samples

    @property
    def packets(self) -> list[RtpPacket]:
        return [RtpPacket.parse(data) for data in self.rig.network.outbox[self.address]]

    def heard(self) -> Pcm:
        """All audio received so far."""
        payload = b"".join(p.payload for p in self.packets if p.payload_type == 0)
        return decode(np.frombuffer(payload, np.uint8), Law.ULAW)


class Rig:
    """The engine with its surroundings."""

    def __init__(
        self,
        config: MediaConfig | None = None,
        vad: VadModel | None = None,
        line: LineProcessors | None = None,
    ) -> None:
        self.network = MemoryNetwork()
        self.clock = ManualClock()
        self.recorder = MemoryRecorder()
        config = config or MediaConfig(max_legs=16)
        numbers = random.Random(7)
        self.engine = MediaEngine(config, self.network, self.clock, numbers.randbytes, self.recorder, vad, line)
        self.events: list[m.Event] = []

    def do(self, *commands: m.Command) -> None:
        for command in commands:
            self.engine.handle(command, self.clock.monotonic())
        self.events += self.engine.take_events()

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.advance(0.02)
            self.engine.tick(self.clock.monotonic())
            self.events += self.engine.take_events()

    def of(self, kind: type[E]) -> list[E]:
        """All events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def open(self, leg_id: str, call_id: str = "call", **settings: object) -> Peer:
        """Open and configure a leg; its peer sends from the address in its SDP."""
        self.do(m.OpenLeg(LegId(leg_id), CallId(call_id), SERVER_IP))
        opened = self.of(m.LegOpened)[-1]
        peer = Peer(self, leg_id, opened.port, ("192.0.2.9", 20000 + 2 * len(self.of(m.LegOpened))))
        self.configure(peer, **settings)
        return peer

    def configure(self, peer: Peer, **settings: object) -> None:
        values: dict[str, object] = {
            "remote_ip": peer.address[0],
            "remote_port": peer.address[1],
            "codec": "PCMU",
            "payload_type": 0,
            "dtmf_payload_type": 101,
        }
        self.do(m.ConfigureLeg(peer.leg_id, **(values | settings)))  # type: ignore[arg-type]

    def mix(self, *edges: tuple[str, str], call_id: str = "call") -> None:
        self.do(m.SetMix(CallId(call_id), tuple((source, sink, 1.0) for source, sink in edges)))
