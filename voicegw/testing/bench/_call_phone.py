"""A telephone for hours of call on a manual clock: it talks in a circle of ten seconds, by a clock of its own.

Its sequence numbers and timestamps begin shortly before their end. Once in each circle it says a burst, and hears
one of the agent: how long each was under way is the latency of the call, from one end to the other.
"""

from __future__ import annotations

import heapq
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import g722, opus
from voicegw.audio.g711 import Law, decode
from voicegw.base.ids import CallId, LegId
from voicegw.media.messages import LegKeys
from voicegw.media.sockets import Address
from voicegw.rtp.packet import RtpPacket
from voicegw.rtp.rtcp import (
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_compound,
    middle_32,
    parse_compound,
    to_ntp,
)
from voicegw.rtp.srtp import SrtpKey, SrtpReceiver, SrtpSender
from voicegw.testing.bench._speech_packets import BenchCodec, encoder
from voicegw.testing.impairment import ImpairedPath, Impairment
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.memory_network import MemoryNetwork
from voicegw.testing.probe_sounds import burst, voice

Pcm = NDArray[np.int16]

CIRCLE_FRAMES: Final = 500
BURST_FRAME: Final = 250
_TALK_S: Final = 3.5
_FRAME_S: Final = 0.02
_REPORT_FRAMES: Final = 250
_FIRST_SEQUENCE: Final = 65_536 - 500
"""Ten seconds to its end."""
_STEPS_TO_WRAP: Final = 600
"""Packets until the timestamps begin anew."""
_LOUD: Final = 4000
_CATCH_S: Final = 1.0
"""A burst that is not heard within this time was lost on the way."""


def circle(rate_hz: int) -> Pcm:
    """Ten seconds: some talk, a pause, a burst, a pause; a breath of noise under all of it."""
    sound = np.random.default_rng(1).normal(0, 4, rate_hz * CIRCLE_FRAMES // 50)
    talk, mark = voice(rate_hz, _TALK_S), burst(rate_hz)
    sound[: len(talk)] += talk
    start = rate_hz * BURST_FRAME // 50
    sound[start : start + len(mark)] += mark
    return np.rint(sound).astype(np.int16)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is called with. ``ppm``: how much faster its clock runs than ours, in millionths."""

    codec: BenchCodec
    ppm: float
    keys: LegKeys | None = None


class Phone:
    """One telephone. ``sent_at`` and ``heard_ms`` are about the bursts."""

    def __init__(
        self, network: MemoryNetwork, clock: ManualClock, kind: Kind, address: Address, path: Impairment
    ) -> None:
        self.kind = kind
        self.leg, self.call = LegId(kind.codec.name), CallId(f"call-{kind.codec.name}")
        self.address = address
        self._clock, self._network = clock, network
        self._rtp, self._rtcp = network.bind(*address), network.bind(address[0], address[1] + 1)
        self.server: Address = ("", 0)
        codec, sound = kind.codec, circle(kind.codec.rate_hz)
        make = encoder(codec)
        self._payloads = [make(frame) for frame in sound.reshape(CIRCLE_FRAMES, -1)]
        self._path = ImpairedPath(path, zlib.crc32(codec.name.encode()))
        self._ssrc = zlib.crc32(codec.name.encode())
        self._first_timestamp = (1 << 32) - _STEPS_TO_WRAP * codec.step
        self._under_way: list[tuple[float, int, bytes]] = []
        self._spacing_s = _FRAME_S / (1 + kind.ppm * 1e-6)
        self._begin = clock.monotonic() + 0.005
        self.frames = 0
        """Packets that it has said."""
        self._seal = SrtpSender(SrtpKey(kind.keys.suite, kind.keys.receive)) if kind.keys else None
        self._open = SrtpReceiver(SrtpKey(kind.keys.suite, kind.keys.send)) if kind.keys else None
        self.said_at: float | None = None
        """When the last burst left, until it was heard."""
        self.lost_bursts = 0
        self._awaited_at: float | None = None
        self._decode: Callable[[bytes], Pcm] = lambda _payload: np.zeros(1, np.int16)
        self.heard_ms: list[float] = []
        """How long each burst of the agent was under way to us."""
        self.received = self.gaps = self.unopened = 0
        self._next: tuple[int, int] | None = None
        self._last_report = (0, 0.0)
        self.reported_to = 0
        """The highest sequence number, counted on past 16 bits, that the server says it has heard."""
        self.reported_lost = 0
        self._far_ssrc = 0

    def talk(self, now: float) -> None:
        """Say what is due, and let arrive what has come through the network."""
        while (due := self._begin + self.frames * self._spacing_s) <= now:
            self._say(due)
        while self._under_way and self._under_way[0][0] <= now:
            self._network.deliver(heapq.heappop(self._under_way)[2], self.address, self.server)

    def _say(self, due: float) -> None:
        number, codec = self.frames, self.kind.codec
        place = number % CIRCLE_FRAMES
        if place == BURST_FRAME:
            self.said_at = due
        if number % _REPORT_FRAMES == 0:
            self._report(due)
        timestamp = (self._first_timestamp + number * codec.step) & 0xFFFFFFFF
        sequence = (_FIRST_SEQUENCE + number) & 0xFFFF
        data = RtpPacket(codec.payload_type, sequence, timestamp, self._ssrc, self._payloads[place]).to_bytes()
        if self._seal is not None:
            sealed = self._seal.protect(data)
            assert sealed is not None
            data = bytes(sealed)
        self.frames += 1
        for arrival in self._path.arrivals(due):
            heapq.heappush(self._under_way, (arrival, number, data))

    @property
    def sequence(self) -> int:
        """Of the last packet, counted on past 16 bits."""
        return _FIRST_SEQUENCE + self.frames - 1

    def lost_burst(self, now: float) -> None:
        """Give a burst up that should have been heard by now."""
        if self.said_at is not None and now - self.said_at > _CATCH_S:
            self.said_at = None
            self.lost_bursts += 1

    def await_burst(self, now: float) -> None:
        """The agent says one from now on."""
        self._awaited_at = now
        self._decode = _decoder(self.kind.codec)

    def listen(self, now: float) -> None:
        """Take in what the server has sent: nothing may be missing of it, it has no network to cross."""
        for data, _ in _taken(self._rtp.inbox):
            packet = self._opened(data)
            if packet is not None:
                self._take(packet, now)
        for data, _ in _taken(self._rtcp.inbox):
            self._take_report(data, now)

    def _opened(self, data: bytes) -> RtpPacket | None:
        if self._open is None:
            return RtpPacket.parse(data)
        self._open.buffer[: len(data)] = data
        size = self._open.unprotect(len(data))
        if size < 0:
            self.unopened += 1
            return None
        return RtpPacket.parse(bytes(self._open.buffer[:size]))

    def _take(self, packet: RtpPacket, now: float) -> None:
        self.received += 1
        self._far_ssrc = packet.ssrc
        if self._next is not None and (packet.sequence, packet.timestamp) != self._next:
            self.gaps += 1
        step = self.kind.codec.step
        self._next = ((packet.sequence + 1) & 0xFFFF, (packet.timestamp + step) & 0xFFFFFFFF)
        if self._awaited_at is not None and np.abs(self._decode(packet.payload).astype(np.int32)).max() > _LOUD:
            self.heard_ms.append((now - self._awaited_at) * 1000)
            self._awaited_at = None

    def _take_report(self, data: bytes, now: float) -> None:
        if self._open is not None:
            self._open.buffer[: len(data)] = data
            size = self._open.unprotect_report(len(data))
            self.unopened += size < 0
            data = bytes(self._open.buffer[: max(0, size)])
        for part in parse_compound(data) if data else ():
            if isinstance(part, SenderReport):
                self._last_report = (middle_32(part.ntp), now)
                for block in part.blocks:
                    self.reported_to, self.reported_lost = block.highest_sequence, block.cumulative_lost

    def _report(self, now: float) -> None:
        """A sender report with what we heard (RFC 3550 §6.4.1), past the network: reports are rarely lost."""
        last, at = self._last_report
        highest = self._next[0] - 1 if self._next else 0
        since = round((now - at) * 65536) if last else 0
        block = ReportBlock(self._far_ssrc, 0, 0, highest & 0xFFFF, 0, last, since)
        moment = to_ntp(self._clock.wall() + now - self._clock.monotonic())
        timestamp = self._first_timestamp + self.frames * self.kind.codec.step
        sender = SenderReport(self._ssrc, moment, timestamp, self.frames, 160 * self.frames, (block,))
        data = build_compound([sender, SourceDescription(self._ssrc, "phone@long-call")])
        if self._seal is not None:
            sealed = self._seal.protect_report(data)
            assert sealed is not None
            data = bytes(sealed)
        source, target = (self.address[0], self.address[1] + 1), (self.server[0], self.server[1] + 1)
        self._network.deliver(data, source, target)


def onset(pcm: Pcm) -> int | None:
    """The first sample of a burst in a frame."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _LOUD)
    return int(loud[0]) if len(loud) else None


def _taken(inbox: deque[tuple[bytes, Address]]) -> list[tuple[bytes, Address]]:
    taken = list(inbox)
    inbox.clear()
    return taken


def _decoder(codec: BenchCodec) -> Callable[[bytes], Pcm]:
    match codec.name:
        case "G722":
            return g722.Decoder().decode
        case "opus":
            decoder, frame = opus.Decoder(), np.zeros(codec.rate_hz // 50, np.int16)

            def decoded(payload: bytes) -> Pcm:
                decoder.decode(payload, frame)
                return frame

            return decoded
        case _:
            law = Law.ALAW if codec.name == "PCMA" else Law.ULAW
            return lambda payload: decode(np.frombuffer(payload, np.uint8), law)
