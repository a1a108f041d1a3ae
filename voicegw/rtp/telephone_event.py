"""Keys as RTP telephone events, RFC 4733: one key a press, whatever the network does to its packets.

An event is named by its start timestamp: all packets of one press carry the same. Losing the marker, any update or
all but one of the packets, and receiving the end three times or thirty, must each still give one key.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from voicegw.base.errors import LocalError, RemoteProtocolError

DIGITS = "0123456789*#ABCD"
"""Events 0 to 15 (RFC 4733 §3.2)."""

_PAYLOAD = struct.Struct(">BBH")
_TIMESTAMPS = 1 << 32
_MAX_DURATION = 0xFFFF
_SILENT_END_S = 0.2
"""A press without its end packet is over after four update intervals of 50 ms (RFC 4733 §2.5.1.2)."""
_STRAGGLER_S = 1.0
"""What comes later with an older timestamp is no late packet of an older press: the peer counts from elsewhere."""
_LONG_PRESS_S = 5.0
_END_PACKETS = 3
_GAP_MS = 80
"""Between digits: twice the least that receivers are built for (ITU-T Q.24)."""
_VOLUME_DBM0 = 10


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """The payload of one packet (RFC 4733 §2.3). ``duration`` is in timestamp units so far."""

    event: int
    end: bool
    volume: int
    duration: int

    def to_bytes(self) -> bytes:
        """Four bytes on the wire."""
        return _PAYLOAD.pack(self.event, (0x80 if self.end else 0) | self.volume & 0x3F, self.duration)

    @classmethod
    def parse(cls, payload: bytes) -> TelephoneEvent:
        """Read a payload; raises RemoteProtocolError. More than one event (§2.5.1.4) reads as the first."""
        if len(payload) < _PAYLOAD.size:
            raise RemoteProtocolError(f"telephone-event of {len(payload)} bytes")
        event, flags, duration = _PAYLOAD.unpack_from(payload)
        return cls(event, bool(flags & 0x80), flags & 0x3F, duration)


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """One press. ``duration_samples`` is what the sender said, as far as it arrived."""

    digit: str
    duration_samples: int


@dataclass(slots=True)
class _Press:
    event: int
    started: int  # timestamp of the first segment
    segment: int  # timestamp of the newest segment
    duration: int  # of the newest segment
    since_s: float
    heard_s: float
    reported: bool = False

    @property
    def total(self) -> int:
        return (self.segment - self.started) % _TIMESTAMPS + self.duration


class TelephoneEventReceiver:
    """Turns packets of one source, by a clock of ``clock_hz``, into presses. ``now`` is monotonic seconds."""

    def __init__(self, clock_hz: int = 8000) -> None:
        self.clock_hz = clock_hz
        self._press: _Press | None = None

    def receive(self, now: float, timestamp: int, payload: bytes) -> list[DigitPressed]:
        """Take one packet; raises RemoteProtocolError for a torn payload. Events beyond 15 are no keys."""
        packet = TelephoneEvent.parse(payload)
        if packet.event >= len(DIGITS):
            return []
        press = self._press
        pressed: list[DigitPressed] = []
        if press is None or not self._continues(press, packet, timestamp):
            if press is not None:
                if now - press.heard_s < _STRAGGLER_S and self._is_older(press, timestamp):
                    return []
                pressed = self._report(press)
            press = self._press = _Press(packet.event, timestamp, timestamp, packet.duration, now, now)
        press.heard_s = now
        if timestamp == press.segment:
            press.duration = max(press.duration, packet.duration)
        if packet.end or now - press.since_s >= _LONG_PRESS_S:
            pressed += self._report(press)
        return pressed

    def poll(self, now: float) -> list[DigitPressed]:
        """Report a press whose end packets were all lost."""
        press = self._press
        if press is None or press.reported or now - press.heard_s < _SILENT_END_S:
            return []
        return self._report(press)

    @property
    def pending(self) -> bool:
        """Whether a press waits for its end, so that :meth:`poll` may have something to say."""
        return self._press is not None and not self._press.reported

    @staticmethod
    def _continues(press: _Press, packet: TelephoneEvent, timestamp: int) -> bool:
        """The same press: the same start, or the next segment of one beyond 65535 units (§2.5.1.3)."""
        if packet.event != press.event:
            return False
        if timestamp == press.segment:
            return True
        ahead = (timestamp - press.segment) % _TIMESTAMPS
        if ahead == _MAX_DURATION or (ahead == press.duration and press.duration >= _MAX_DURATION - 800):
            press.segment, press.duration = timestamp, packet.duration
            return True
        return False

    @staticmethod
    def _is_older(press: _Press, timestamp: int) -> bool:
        return (press.segment - timestamp) % _TIMESTAMPS < _TIMESTAMPS // 2

    @staticmethod
    def _report(press: _Press) -> list[DigitPressed]:
        if press.reported:
            return []
        press.reported = True
        return [DigitPressed(DIGITS[press.event], press.total)]


@dataclass(frozen=True, slots=True)
class EventPacket:
    """What to send now instead of audio. ``timestamp`` is the start of the event, in all its packets."""

    timestamp: int
    marker: bool
    payload: bytes


class TelephoneEventSender:
    """Sends digits one after the other, a packet each tick (RFC 4733 §2.5.1); durations are in ``clock_hz``."""

    def __init__(self, clock_hz: int = 8000, tick_ms: int = 20) -> None:
        self._per_ms = clock_hz // 1000
        self._tick = tick_ms * self._per_ms
        self._queue: deque[tuple[int, int]] = deque()
        self._event = -1
        self._length = 0
        self._elapsed = 0
        self._start = 0
        self._ends_left = 0
        self._gap_left = 0

    def queue(self, digits: str, duration_ms: int) -> None:
        """Append digits; raises LocalError for one that is no key. Durations are at least 40 ms (ITU-T Q.24)."""
        events = [DIGITS.find(digit.upper()) for digit in digits]
        if -1 in events:
            raise LocalError(f"{digits!r} holds a character that is no DTMF digit")
        samples = min(max(duration_ms, 40) * self._per_ms, _MAX_DURATION)
        self._queue.extend((event, samples) for event in events)

    @property
    def busy(self) -> bool:
        """Whether anything is being sent or waits, the gap after the last digit included."""
        return bool(self._queue) or self._event >= 0 or self._gap_left > 0

    @property
    def unsent(self) -> int:
        """How many digits are still to be sent, or have not ended."""
        return len(self._queue) + (self._event >= 0 and self._ends_left == _END_PACKETS)

    def next(self, timestamp: int) -> EventPacket | None:
        """The packet of this tick, whose audio would have ``timestamp``; None: send audio (a gap, nothing left)."""
        if self._event < 0:
            if self._gap_left > 0:
                self._gap_left -= self._tick
                return None
            if not self._queue:
                return None
            self._event, self._length = self._queue.popleft()
            self._start, self._elapsed, self._ends_left = timestamp, 0, _END_PACKETS
        first = self._elapsed == 0
        self._elapsed = min(self._elapsed + self._tick, self._length)
        end = self._elapsed == self._length
        payload = TelephoneEvent(self._event, end, _VOLUME_DBM0, self._elapsed).to_bytes()
        packet = EventPacket(self._start, first, payload)
        if end:
            self._ends_left -= 1
            if self._ends_left == 0:
                self._event, self._gap_left = -1, _GAP_MS * self._per_ms
        return packet
