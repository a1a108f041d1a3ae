"""From the mixed frames to the sockets.

The packets of all ordinary legs (20 ms, no digit) are rows of one array: encoded, and their headers written, in a
few array operations; only what encrypts and ``sendto`` are called for each. A leg with another packet time, or one
that sends a digit just now, is served by itself.

First everything is made (:meth:`RtpSender.prepare`), then everything leaves (:meth:`RtpSender.depart`): with
nothing else between them, packets leave evenly from tick to tick.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.media.bank import LegBank
from voicegw.media.config import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE_HZ
from voicegw.media.filling import Pcm
from voicegw.media.leg import Leg
from voicegw.media.messages import DtmfSent, Event
from voicegw.media.secure import SecurePorts
from voicegw.media.silence import Silences
from voicegw.media.sockets import Address
from voicegw.media.wide import OPUS
from voicegw.rtp.packet import HEADER_BYTES, PLAIN_FIRST_BYTE
from voicegw.rtp.srtp import SEAL_BYTES, SealPlace, seal_place
from voicegw.rtp.telephone_event import EventPacket

_PACKET_BYTES: Final = HEADER_BYTES + FRAME_SAMPLES
_ROW_BYTES: Final = _PACKET_BYTES + SEAL_BYTES
_TIMESTAMP_MASK: Final = 0xFFFFFFFF
_MARKER_SHIFT: Final = 23
_HEADER: Final = struct.Struct(">HHII")
_Shipment = tuple[Callable[[memoryview | bytes, Address], int], memoryview | bytes, Address]


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A plain packet that is encrypted where it lies, in every tick anew."""

    row: int
    secure: SecurePorts
    memory: memoryview
    place: SealPlace
    target: Address


@dataclass(frozen=True, slots=True)
class Departure:
    """What became of the frames of one tick: when they were handed to the kernel, and which it refused.

    The clock is read before the first and after the last packet only; between them the times are interpolated.
    """

    first_at: float
    last_at: float
    order: dict[int, float]
    """Place of each sent row in the tick, 0 for the first to 1 for the last."""
    failed: frozenset[int]

    def at(self, row: int) -> float | None:
        """Monotonic seconds at which the packet of ``row`` left; None if it did not."""
        if row in self.failed or row not in self.order:
            return None
        return self.first_at + (self.last_at - self.first_at) * self.order[row]


class RtpSender:
    """Sends one frame of each planned leg per tick."""

    def __init__(self, bank: LegBank, clock: Clock, counters: Counters) -> None:
        self._bank = bank
        self._clock = clock
        self._counters = counters
        self._silences = Silences()
        self.stale = False
        """A leg began or ended sending digits: :meth:`plan` is due."""
        self.plan((), ())

    def plan(self, narrow: Sequence[Leg], wide: Sequence[Leg]) -> None:
        """The legs to send to from now on, by the rate of their codec, in the order of the frames that :meth:`send`
        will be given."""
        self.stale = False
        self._alone = [
            (index, leg) for legs in (narrow, wide) for index, leg in enumerate(legs) if not _is_plain(leg)
        ]
        self._all_plain = not self._alone
        self._silences.plan(narrow, wide)
        self._narrow = np.array([index for index, leg in enumerate(narrow) if _is_plain(leg)], np.intp)
        self._wide = np.array([index for index, leg in enumerate(wide) if _is_plain(leg)], np.intp)
        plain = [*(narrow[index] for index in self._narrow), *(wide[index] for index in self._wide)]
        self._rows = np.array([leg.row for leg in plain], np.intp)
        self._plain = plain
        self._wide_rows = [leg.row for leg in plain[len(self._narrow) :]]
        room = np.zeros((len(plain), _ROW_BYTES), np.uint8)
        self._payloads = room[:, HEADER_BYTES:_PACKET_BYTES]
        # Headers as words: what stays is written here, what changes by _write_headers.
        self._words = room.view(">u4")
        self._words[:, 2] = self._bank.ssrc[self._rows]
        self._first_timestamps = self._bank.first_timestamp[self._rows]
        self._constant = (PLAIN_FIRST_BYTE << 24) | self._bank.payload_type[self._rows] << 16
        self._open: list[tuple[int, _Shipment]] = []
        self._sealed: list[_Sealed] = []
        for leg, memory in zip(plain, room, strict=True):
            if leg.secure is None:
                self._open.append((leg.row, (leg.send, memory[:_PACKET_BYTES].data, _target(leg))))
            else:
                place = seal_place(memory.data)
                self._sealed.append(_Sealed(leg.row, leg.secure, memory.data, place, _target(leg)))
        self._ready: list[tuple[int, _Shipment]] = []
        self._failed: list[int] = []
        departing = [leg.row for leg in plain] + [leg.row for _, leg in self._alone]
        self._order = {row: place / max(1, len(departing) - 1) for place, row in enumerate(departing)}

    def prepare(self, narrow: Pcm, wide: Pcm, events: list[Event]) -> None:
        """Make the packets of frames, one for each planned leg: (n, 160) and (m, 320)."""
        bank, count, payloads = self._bank, len(self._narrow), self._payloads
        silent, begun = self._silences.listen(narrow, wide)
        if begun:
            bank.marker[begun] = bank.marking = True
        payloads[:count] = bank.encode(self._rows[:count], narrow if self._all_plain else narrow[self._narrow])
        if self._wide_rows:
            self._encode_wide(payloads[count:], wide, silent)
        self._write_headers(silent)
        self._failed = []
        spoken = [(row, one) for row, one in self._open if row not in silent] if silent else self._open
        self._ready = [*spoken, *self._seal(silent)] if self._sealed else spoken
        if self._alone or silent:
            self._ready = self._ready.copy()
            for leg in self._plain if silent else ():
                self._add_noise(leg, silent.get(leg.row, b""))
            for index, leg in self._alone:
                self._prepare_alone(leg, (wide if leg.wide_out else narrow)[index], silent, events)

    def _seal(self, silent: Container[int]) -> list[tuple[int, _Shipment]]:
        """Encrypt the plain packets of the legs with SRTP. A key that is worn out encrypts no more."""
        ready: list[tuple[int, _Shipment]] = []
        for one in self._sealed:
            if one.row in silent:
                continue
            size = one.secure.seal(one.place, _PACKET_BYTES)
            if size:
                ready.append((one.row, (one.secure.send_sealed, one.memory[:size], one.target)))
            else:
                self._failed.append(one.row)
        return ready

    def depart(self) -> Departure:
        """The system calls. A full buffer or a vanished route loses a packet, never the tick."""
        failed = self._failed
        first_at = self._clock.monotonic()
        for row, (sendto, packet, target) in self._ready:
            try:
                sendto(packet, target)
            except OSError:
                failed.append(row)
        last_at = self._clock.monotonic()
        if failed:
            self._counters.add("rtp_send_errors", len(set(failed)))
        return Departure(first_at, last_at, self._order, frozenset(failed))

    def _encode_wide(self, payloads: NDArray[np.uint8], wide: Pcm, silent: Container[int]) -> None:
        """A coder does not hear what is not sent: the decoder at the other end does not, either."""
        spoken = [place for place, row in enumerate(self._wide_rows) if row not in silent]
        rows = [self._wide_rows[place] for place in spoken]
        if rows:
            payloads[spoken] = self._bank.wide.encode(rows, wide[self._wide[spoken]])

    def _write_headers(self, silent: Mapping[int, bytes]) -> None:
        """What changes in the headers from tick to tick: sequence number, timestamp and, seldom, the marker."""
        bank, rows = self._bank, self._rows
        sequence = bank.sequence[rows]
        first = self._constant | (sequence & 0xFFFF)
        if bank.marking:
            first |= bank.marker[rows].astype(np.int64) << _MARKER_SHIFT
            bank.marker[rows] = bank.marking = False
        self._words[:, 0] = first
        self._words[:, 1] = (self._first_timestamps + bank.elapsed) & _TIMESTAMP_MASK
        bank.sequence[rows] = sequence + (~np.isin(rows, list(silent)) if silent else 1)

    def _add_noise(self, leg: Leg, payload: bytes) -> None:
        """Comfort noise, where any is due."""
        if payload and leg.settings is not None:
            number = leg.settings.noise_payload_type
            self._add_packet(leg, number, self._bank.timestamp(leg.row), payload, marker=False)

    def _prepare_alone(self, leg: Leg, frame: Pcm, silent: Mapping[int, bytes], events: list[Event]) -> None:
        """A leg that sends a digit, or packets that are not 20 ms."""
        row = leg.row
        timestamp = self._bank.timestamp(row)
        if leg.keying:
            key = self._next_key(leg, timestamp, events)
            if key is not None:
                self._add_packet(leg, leg.key_payload_type, key.timestamp, key.payload, marker=key.marker)
                return
        if row in silent:
            self._add_noise(leg, silent[row])
            return
        if row in self._bank.wide.senders:
            self._prepare_opus(leg, frame)
            return
        codes = self._encode(leg, frame)
        length = leg.ptime_ms * SAMPLE_RATE_HZ // 1000
        waiting = leg.odd_codes
        waiting += codes
        start = timestamp + len(codes) - len(waiting)
        while len(waiting) >= length:
            payload_type, marker = int(self._bank.payload_type[row]), bool(self._bank.marker[row])
            self._add_packet(leg, payload_type, start, bytes(waiting[:length]), marker=marker)
            del waiting[:length]
            start += length

    def _prepare_opus(self, leg: Leg, frame: Pcm) -> None:
        """The packets that end in this tick, but for those of silence: the first after it has the marker."""
        bank, row = self._bank, leg.row
        payload_type = int(bank.payload_type[row])
        for back, payload in bank.wide.senders[row].packets(frame):
            if not payload:
                bank.marker[row] = True
                continue
            timestamp = bank.timestamp(row, FRAME_SAMPLES - back)
            self._add_packet(leg, payload_type, timestamp, payload, marker=bool(bank.marker[row]))

    def _encode(self, leg: Leg, frame: Pcm) -> bytes:
        if leg.wide_out:
            return bytes(self._bank.wide.encode([leg.row], frame[np.newaxis]))
        return bytes(self._bank.encode(np.array([leg.row], np.intp), frame[np.newaxis])[0])

    def _next_key(self, leg: Leg, timestamp: int, events: list[Event]) -> EventPacket | None:
        """The digit packet of this tick; begins the next order and reports the one that is done."""
        if leg.keys_current is None:
            leg.keys_current = leg.keys_waiting.popleft()
            leg.keys_out.queue(leg.keys_current.digits, leg.keys_current.duration_ms)
            leg.odd_codes.clear()
        packet = leg.keys_out.next(timestamp)
        if not leg.keys_out.busy:
            events.append(DtmfSent(leg.leg_id, leg.keys_current.digits))
            leg.keys_current = None
            self.stale = True
        return packet

    def _add_packet(self, leg: Leg, payload_type: int, timestamp: int, payload: bytes, *, marker: bool) -> None:
        bank, row = self._bank, leg.row
        first = PLAIN_FIRST_BYTE << 8 | marker << 7 | payload_type
        sequence = int(bank.sequence[row])
        bank.sequence[row] = sequence + 1
        bank.marker[row] = False
        bank.extra_octets[row] += len(payload) - FRAME_SAMPLES
        header = _HEADER.pack(first, sequence & 0xFFFF, timestamp & _TIMESTAMP_MASK, int(bank.ssrc[row]))
        self._ready.append((row, (leg.send, header + payload, _target(leg))))


def _is_plain(leg: Leg) -> bool:
    """Whether its packets are made with all others. A capture has to see those that are encrypted before that."""
    opus = leg.settings is not None and leg.settings.codec == OPUS
    return leg.ptime_ms == FRAME_MS and not leg.keying and not opus and not (leg.tap and leg.secure)


def _target(leg: Leg) -> Address:
    target = leg.latch.target
    if target is None:
        raise LocalError(f"leg {leg.leg_id} cannot be sent to before it is configured")
    return target
