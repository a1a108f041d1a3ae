"""Packet captures of running calls: who writes down what passes a leg's sockets.

A call that is captured has a tap between its legs and their sockets; all others have none, and pay nothing. What is
seen is what the engine sees: every datagram that arrived, believed or not, decrypted where it was SRTP, and every
one that was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voicegw.base.clock import Clock
from voicegw.base.ids import CallId
from voicegw.media import messages as m
from voicegw.media.leg import Call, Leg
from voicegw.media.sockets import Address
from voicegw.ports.capture import CaptureBegun, CapturedPacket, CaptureOver, PacketSink
from voicegw.rtp.packet import HEADER_BYTES
from voicegw.rtp.rtcp import is_report

Arrived = Callable[[int], int]
"""When the packet that was read last from a socket came, by its descriptor: Unix time in µs, 0 for nobody knows."""
_COMFORT_NOISE: Final = 13


class _CallTap:
    """The capture of one call; see :class:`voicegw.media.commands.StartCapture` for what it keeps."""

    def __init__(self, command: m.StartCapture, sink: PacketSink, clock: Clock, arrived: Arrived) -> None:
        self.call_id = command.call_id
        self.path = command.path
        self.audio = command.audio
        self.keys = command.keys
        self.sink = sink
        self.arrived = arrived
        self._wall = clock.wall

    def __call__(self, leg: Leg) -> None:
        """Put a tap into this leg."""
        _LegTap(leg, self)

    def now_us(self) -> int:
        """Unix time."""
        return int(self._wall() * 1_000_000)


class _LegTap:
    """Stands in for the four ways between a leg and its sockets; what it is told is written elsewhere."""

    def __init__(self, leg: Leg, tap: _CallTap) -> None:
        self._leg = leg
        self._tap = tap
        self._settings: m.ConfigureLeg | None = None
        self._sounds: frozenset[int] = frozenset()
        self._keys: frozenset[int] = frozenset()
        ports = leg.ports
        self._rtp, self._rtcp = (ports.ip, ports.port), (ports.ip, ports.port + 1)
        self._reports_from = self._rtp if leg.muxed else self._rtcp
        self._receive, self._send = leg.receive, leg.send
        self._receive_report, self._send_report = leg.receive_report, leg.send_report
        leg.receive, leg.send = self.receive, self.send
        leg.receive_report, leg.send_report = self.receive_report, self.send_report
        for each in (ports.rtp, ports.rtcp):
            tap.arrived(each.fileno())  # the kernel notes when packets come once it was asked for it

    def receive(self, view: memoryview) -> tuple[int, Address]:
        """Like ``recvfrom_into``; what is not authentic has a size below 0, and nobody knows what is in it."""
        size, address = self._receive(view)
        if size > 0:
            came_us = self._tap.arrived(self._leg.ports.rtp.fileno()) or self._tap.now_us()
            self._keep(came_us, address, self._rtp, view[:size])
        return size, address

    def send(self, packet: memoryview | bytes, address: Address) -> int:
        """Like ``sendto``."""
        sent = self._send(packet, address)
        self._keep(self._tap.now_us(), self._rtp, address, packet)
        return sent

    def receive_report(self, view: memoryview) -> tuple[int, Address]:
        """Like ``recvfrom_into`` of the port of RTCP."""
        size, address = self._receive_report(view)
        if size > 0:
            came_us = self._tap.arrived(self._leg.ports.rtcp.fileno()) or self._tap.now_us()
            self._add(came_us, address, self._rtcp, bytes(view[:size]), size)
        return size, address

    def send_report(self, packet: memoryview | bytes, address: Address) -> int:
        """Like ``sendto`` of the port that reports leave from."""
        sent = self._send_report(packet, address)
        self._add(self._tap.now_us(), self._reports_from, address, bytes(packet), len(packet))
        return sent

    def _keep(self, wall_us: int, source: Address, target: Address, packet: memoryview | bytes) -> None:
        """RTP with as much of it as may be kept, or RTCP."""
        size = len(packet)
        kept = bytes(packet if self._is_open(packet) else packet[:HEADER_BYTES])
        self._add(wall_us, source, target, kept, size)

    def _is_open(self, packet: memoryview | bytes) -> bool:
        if len(packet) < HEADER_BYTES or is_report(packet[:2]):
            return True
        settings = self._leg.settings
        if settings is not self._settings:
            self._settings, self._sounds, self._keys = settings, *_meanings(settings)
        number = packet[1] & 0x7F
        if number in self._sounds:
            return self._tap.audio and (self._tap.keys or number not in self._keys)
        return self._tap.keys

    def _add(self, wall_us: int, source: Address, target: Address, data: bytes, size: int) -> None:
        self._tap.sink.add(self._tap.call_id, CapturedPacket(wall_us, source, target, data, size))


def _meanings(settings: m.ConfigureLeg | None) -> tuple[frozenset[int], frozenset[int]]:
    """Payload types that are sound, and those that are keys, of either side: one may be both."""
    if settings is None:
        return frozenset(), frozenset()
    others = (number for number, _ in settings.other_codecs)
    sounds = {settings.payload_type, settings.receive_payload_type, settings.noise_payload_type, _COMFORT_NOISE}
    return frozenset({*sounds, *others}), frozenset(
        (settings.dtmf_payload_type, settings.dtmf_receive_payload_type)
    )


class Captures:
    """The captures of a worker."""

    def __init__(self, sink: PacketSink | None, clock: Clock, arrived: Arrived) -> None:
        """Without a sink nothing can be captured."""
        self._sink = sink
        self._clock = clock
        self._arrived = arrived
        self._taps: dict[CallId, _CallTap] = {}

    def start(self, command: m.StartCapture, call: Call | None) -> list[m.Event]:
        """Begin; what is wrong is told at once."""
        limits, sink = (command.max_bytes, command.max_s), self._sink
        if call is None or sink is None or not sink.start(command.call_id, command.path, *limits):
            why = "the call is being captured already" if call else "there is no such call"
            return [m.CaptureEnded(command.call_id, command.path, "", 0, 0, 0, why)]
        tap = self._taps[command.call_id] = _CallTap(command, sink, self._clock, self._arrived)
        _connect(call, tap)
        return []

    def change(self, command: m.ChangeCapture | m.CaptureMessage) -> None:
        """Another thing to know about a capture, or to write into it; nothing where there is none."""
        tap = self._taps.get(command.call_id)
        if tap is None:
            return
        if isinstance(command, m.ChangeCapture):
            tap.audio, tap.keys = command.audio, command.keys
            return
        packet = CapturedPacket(command.wall_us, command.source, command.target, command.data, len(command.data))
        tap.sink.add(command.call_id, packet)

    def stop(self, call_id: CallId, call: Call | None, *, discard: bool = False) -> None:
        """End it, if there is one: its call may be over, of which the last messages are written all the same."""
        tap = self._taps.pop(call_id, None)
        if tap is None:
            return
        if call is not None:
            _connect(call, None)
        tap.sink.stop(call_id, discard=discard, reason="it was stopped" if call is not None else "the call ended")

    def poll(self, calls: Callable[[CallId], Call | None]) -> list[m.Event]:
        """How captures began and ended; the taps of those that ended by themselves are taken out."""
        events: list[m.Event] = []
        for report in self._sink.poll() if self._sink is not None else ():
            match report:
                case CaptureBegun(call_id, path):
                    events.append(m.CaptureStarted(call_id, path))
                case CaptureOver(call_id, wish, path, packets, size, dropped, reason):
                    events.append(m.CaptureEnded(call_id, wish, path, packets, size, dropped, reason))
                    tap, call = self._taps.get(call_id), calls(call_id)
                    if tap is not None and tap.path == wish:
                        del self._taps[call_id]
                        if call is not None:
                            _connect(call, None)
        return events

    def close(self) -> None:
        """Finish all files."""
        if self._sink is not None:
            self._sink.close()


def _connect(call: Call, tap: _CallTap | None) -> None:
    call.tap = tap
    for leg in call.legs.values():
        leg.tap_by(tap)
