"""From the sockets to the jitter buffer.

Each round reads at most one datagram of every ready leg, and rounds make a batch until a leg comes again. So in a
batch no row occurs twice, and all packets are checked and stored in a few array operations. Most headers can be
foretold to the last bit, which one comparison checks. What is not plain audio of the locked source (a stranger, a
digit, a padded packet, rubbish) is judged by :meth:`RtpReceiver._admit`, one packet at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.metrics import Counters
from voicegw.media.bank import LegBank
from voicegw.media.config import FRAME_SAMPLES, SAMPLE_RATE_HZ
from voicegw.media.filling import Rows
from voicegw.media.leg import Leg
from voicegw.media.messages import DtmfReceived, DtmfSent, Event, MediaLatched
from voicegw.media.secure import REFUSED
from voicegw.media.sockets import Address, Network
from voicegw.rtp.packet import HEADER_BYTES, PLAIN_FIRST_BYTE, RtpPacket, parse_plain
from voicegw.rtp.rtcp import is_report
from voicegw.rtp.telephone_event import DigitPressed, TelephoneEventReceiver

_BUFFER_BYTES: Final = 1024
"""A packet that fills it was longer than any audio we negotiate (60 ms are 492 bytes) and is refused."""
_STRIDE_BYTES: Final = _BUFFER_BYTES + 64
"""Rows are not a power of two apart: their headers would share a few lines of the cache."""
_BATCH: Final = 1024
_ROUNDS: Final = 6
"""Datagrams read of one leg in one tick: six packets are a burst of 120 ms, more is a flood that can wait."""
_FRAME_BYTES: Final = HEADER_BYTES + FRAME_SAMPLES
"""A packet of one frame of G.711."""
_FOLLOWING: Final = np.array([1, FRAME_SAMPLES, 0], np.uint32)
"""From a header, as words, to the next. After sequence number 65535 it is wrong: then a packet is not awaited."""
_JITTER_SAMPLING: Final = 4
_COMFORT_NOISE: Final = 13


@dataclass(slots=True)
class _Batch:
    """Packets in the first rows of the buffer, each of another leg; ``fds`` are the sockets read for it."""

    legs: list[Leg] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    fds: set[int] = field(default_factory=set)


class RtpReceiver:
    """Reads all RTP sockets."""

    def __init__(self, bank: LegBank, network: Network, counters: Counters) -> None:
        self._bank = bank
        self._counters = counters
        self._poller = network.poller()
        self._legs: dict[int, Leg] = {}
        self._packets = np.zeros((_BATCH, _STRIDE_BYTES), np.uint8)[:, :_BUFFER_BYTES]
        self._words = self._packets[:, :HEADER_BYTES].view(">u4")
        self._payloads = self._packets[:, HEADER_BYTES:_FRAME_BYTES]
        self._views = [row.data for row in self._packets]
        self._keying: set[int] = set()
        self._takes = 0
        self.on_report: Callable[[Leg, bytes, Address, float], bool] = _refuse
        """Gets the RTCP that came to a port of RTP (RFC 5761); False where it does not take it."""

    def add(self, leg: Leg) -> None:
        """Read this leg from now on."""
        fd = leg.ports.rtp.fileno()
        self._legs[fd] = leg
        self._poller.register(fd)

    def remove(self, leg: Leg) -> None:
        """Read it no more; the socket may stay open."""
        fd = leg.ports.rtp.fileno()
        self._poller.unregister(fd)
        del self._legs[fd]
        self._keying.discard(fd)

    def close(self) -> None:
        """Give the poller back."""
        self._poller.close()

    def drain(self, now: float) -> list[Event]:
        """Read what has arrived; what it means besides audio."""
        events: list[Event] = []
        batch = _Batch()
        for _ in range(_ROUNDS):
            ready = self._poller.ready()
            if not ready:
                break
            for start in range(0, len(ready), _BATCH):
                some = ready[start : start + _BATCH]
                fds = [fd for fd, _ in some]
                if len(batch.legs) + len(fds) > _BATCH or not batch.fds.isdisjoint(fds):
                    self._take(batch, now, events)
                    batch = _Batch()
                batch.fds.update(fds)
                self._read_round(fds, batch, now, events)
        self._take(batch, now, events)
        self._poll_keys(now, events)
        return events

    def _poll_keys(self, now: float, events: list[Event]) -> None:
        """Presses whose end was lost are over after a while."""
        for fd in tuple(self._keying):
            leg = self._legs[fd]
            _report_keys(leg, leg.keys_in.poll(now), events)
            if not leg.keys_in.pending:
                self._keying.discard(fd)

    def _read_round(self, fds: list[int], batch: _Batch, now: float, events: list[Event]) -> None:
        """One datagram of each ready socket into the next rows of the buffer."""
        legs, sizes = batch.legs, batch.sizes
        views, known = self._views, self._legs
        count = len(legs)
        for fd in fds:
            leg = known[fd]
            try:
                size, address = leg.receive(views[count])
            except OSError:
                self._counters.add("rtp_receive_errors")
                continue
            if size < HEADER_BYTES or address != leg.latch.source:
                if size == REFUSED:
                    leg.rejected += 1
                    continue
                size = self._admit(leg, count, size, address, now, events)
                if not size:
                    continue
            legs.append(leg)
            sizes.append(size)
            count += 1

    def _take(self, batch: _Batch, now: float, events: list[Event]) -> None:
        """Put the batch into the jitter buffer: at once what was awaited, the rest after a closer look."""
        if not batch.legs:
            return
        # Arrival is known to a tick only, so a sample of the packets says as much about jitter as all of them.
        self._takes += 1
        arrival = None if self._takes % _JITTER_SAMPLING else int(now * SAMPLE_RATE_HZ)
        rows = np.array([leg.row for leg in batch.legs], np.intp)
        words = self._words[: len(rows)].astype(np.uint32)
        expected = self._bank.awaited[rows]
        whole = batch.sizes.count(_FRAME_BYTES) == len(rows)
        # Almost always all are equal, which a comparison of bytes tells in a tenth of the time.
        if whole and words.tobytes() == expected.tobytes():
            if self._take_awaited(rows, words, self._payloads[: len(rows)], arrival, now):
                return
            awaited = np.zeros(len(rows), np.bool_)
        else:
            awaited = (words == expected).all(axis=1) & (np.array(batch.sizes) == _FRAME_BYTES)
            places = np.flatnonzero(awaited)
            if len(places) and not self._take_awaited(
                rows[places], words[places], self._payloads[places], arrival, now
            ):
                awaited[:] = False
        self._take_others(batch, np.flatnonzero(~awaited), arrival, now, events)

    def _take_awaited(
        self,
        rows: Rows,
        words: NDArray[np.uint32],
        payloads: NDArray[np.uint8],
        arrival: int | None,
        now: float,
    ) -> bool:
        """The packets that were to come next, a frame each; False, and none is taken, if some are not in time."""
        bank = self._bank
        timestamp = words[:, 1].astype(np.int64)
        if not bank.jitter.append(rows, timestamp, payloads):
            return False
        bank.reception.count_next(rows, timestamp, arrival)
        bank.awaited[rows] = words + _FOLLOWING
        bank.heard_at[rows] = now
        return True

    def _take_others(
        self, batch: _Batch, places: Rows, arrival: int | None, now: float, events: list[Event]
    ) -> None:
        """The packets in these places of the batch: judge what is no plain audio of the locked source, and tell
        from the numbers where the rest belongs."""
        bank = self._bank
        legs = [batch.legs[place] for place in places]
        rows = np.array([leg.row for leg in legs], np.intp)
        lengths = np.array([batch.sizes[place] for place in places], np.int64)
        head = parse_plain(self._packets[places])
        good = (head.kind == bank.accepts[rows]) & (head.ssrc == bank.ssrc_in[rows]) & (lengths < _BUFFER_BYTES)
        for index in np.flatnonzero(~good):
            leg, place = legs[index], int(places[index])
            address = leg.latch.source or ("", 0)
            lengths[index] = self._admit(leg, place, batch.sizes[place], address, now, events)
            good[index] = lengths[index] > 0
        packets, rows, lengths = self._packets[places[good]], rows[good], lengths[good]
        if not len(rows):
            return
        head = parse_plain(packets)
        bank.heard_at[rows] = now
        if bank.noise.on:
            for row in rows.tolist():
                bank.noise.end(row)
        lengths -= HEADER_BYTES
        if bank.wide.receivers:
            bank.wide.refer(rows, head.sequence, head.timestamp, packets, HEADER_BYTES, lengths)
        reception = bank.reception.update(rows, head.sequence, head.timestamp, arrival)
        bank.jitter.insert(rows, head.timestamp, packets, HEADER_BYTES, lengths, reception)
        bank.expect_next(rows)
        if bank.received.busy:
            bank.received.placed()

    def _admit(self, leg: Leg, index: int, size: int, address: Address, now: float, events: list[Event]) -> int:
        """Judge one unusual datagram in buffer row ``index``.

        Returns its size as a plain packet of the locked source, rewritten in place, or 0 if it is no audio to play.
        """
        view = self._views[index]
        if is_report(view[:size]):
            leg.rejected += not self.on_report(leg, bytes(view[:size]), address, now)
            return 0
        packet = self._parse(leg, view, size)
        if packet is None:
            return 0
        settings = leg.settings
        if settings is None or not settings.receive:
            return self._reject(leg, "rtp_unexpected")
        number = packet.payload_type
        is_audio = self._bank.received.codec_of(leg.row, number) is not None
        # By our own numbers first: the peer's, which careless phones send, may mean something else here.
        own, theirs = settings.dtmf_receive_payload_type, settings.dtmf_payload_type
        is_key = number == (own if own >= 0 else theirs) or (number == theirs and not is_audio)
        is_noise = number in (_COMFORT_NOISE, settings.noise_payload_type)
        if not (is_audio or is_key or is_noise):
            return self._reject(leg, "rtp_wrong_payload_type")
        if not self._believes(leg, packet, address, now, events):
            return self._reject(leg, "rtp_wrong_source")
        if is_key or is_noise:
            self._count_only(leg, packet, now)
            if is_key:
                self._take_key(leg, packet, now, events)
            else:
                self._bank.noise.begin(leg.row, packet.payload)
            return 0
        self._bank.announce(leg.row, packet.payload_type)
        view[0] = PLAIN_FIRST_BYTE
        view[HEADER_BYTES : HEADER_BYTES + len(packet.payload)] = packet.payload
        return HEADER_BYTES + len(packet.payload) if packet.payload else 0

    def _parse(self, leg: Leg, view: memoryview, size: int) -> RtpPacket | None:
        if size >= _BUFFER_BYTES:
            self._reject(leg, "rtp_oversized")
            return None
        try:
            return RtpPacket.parse(bytes(view[:size]))
        except RemoteProtocolError:
            self._reject(leg, "rtp_malformed")
            return None

    def _reject(self, leg: Leg, counter: str) -> int:
        leg.rejected += 1
        self._counters.add(counter)
        return 0

    def _believes(self, leg: Leg, packet: RtpPacket, address: Address, now: float, events: list[Event]) -> bool:
        latch, row = leg.latch, leg.row
        source = latch.source
        if not latch.admits(now, address, packet.ssrc, packet.sequence, float(self._bank.heard_at[row])):
            return False
        if self._bank.ssrc_in[row] != packet.ssrc or source != address:
            self._bank.new_source(row, packet.ssrc)
            leg.keys_in = TelephoneEventReceiver(leg.key_clock_hz)
        if source != address:
            events.append(MediaLatched(leg.leg_id, address[0], address[1], now))
        return True

    def _count_only(self, leg: Leg, packet: RtpPacket, now: float) -> None:
        """Digits and comfort noise are part of the stream's sequence but not of its timing."""
        self._bank.heard_at[leg.row] = now
        self._bank.awaited[leg.row] = 0
        one = np.array([leg.row], np.intp)
        numbers = np.array([[packet.sequence], [packet.timestamp]], np.int64)
        self._bank.reception.update(one, numbers[0], numbers[1], None)

    def _take_key(self, leg: Leg, packet: RtpPacket, now: float, events: list[Event]) -> None:
        if leg.keys_in.clock_hz != leg.key_clock_hz:
            # By another clock the timestamps of the same source may go back: an older press is no measure for them.
            _flush_keys(leg, events)
            leg.keys_in = TelephoneEventReceiver(leg.key_clock_hz)
        try:
            pressed = leg.keys_in.receive(now, packet.timestamp, packet.payload)
        except RemoteProtocolError:
            self._reject(leg, "rtp_malformed")
            return
        _report_keys(leg, pressed, events)
        if leg.keys_in.pending:
            self._keying.add(leg.ports.rtp.fileno())


def _refuse(_leg: Leg, _report: bytes, _address: Address, _now: float) -> bool:
    """For a receiver alone."""
    return False


def end_keys(leg: Leg, events: list[Event]) -> None:
    """The leg ends, perhaps at our last key: a press whose end has not arrived is still one, and what went out of
    an order was sent."""
    _flush_keys(leg, events)
    if leg.keys_current is not None:
        digits = leg.keys_current.digits
        if sent := digits[: len(digits) - leg.keys_out.unsent]:
            events.append(DtmfSent(leg.leg_id, sent))


def _flush_keys(leg: Leg, events: list[Event]) -> None:
    _report_keys(leg, leg.keys_in.poll(math.inf), events)


def _report_keys(leg: Leg, pressed: list[DigitPressed], events: list[Event]) -> None:
    events.extend(
        DtmfReceived(leg.leg_id, press.digit, press.duration_samples * 1000 // leg.keys_in.clock_hz)
        for press in pressed
    )
