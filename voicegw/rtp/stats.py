"""What a receiver knows about its sources: RFC 3550 §6.4.1, §A.3 and §A.8 for many rows at once, and a MOS.

Sequence numbers are counted past their 16 bits; a window of 64 numbers tells duplicates from reordering.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Rows = NDArray[np.intp]
_Ints = NDArray[np.int64]
_Bools = NDArray[np.bool_]

_WINDOW = 64
_ONE = np.uint64(1)
_UNKNOWN = -1
_MAX_DROPOUT = 3000
"""A larger step forward is a restarted sender, not a loss (RFC 3550 §A.1)."""


@dataclass(frozen=True, slots=True)
class Reception:
    """The verdict on a batch, one element a packet.

    ``fresh`` packets are not duplicates; ``step`` is how far the highest sequence number moved: 1 for the next in
    order, more after a gap, 0 or less for one that was overtaken.
    """

    fresh: _Bools
    step: _Ints


@dataclass(frozen=True, slots=True)
class ReceptionReport:
    """Numbers of a report block: see :class:`voicegw.rtp.rtcp.ReportBlock`."""

    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int


class ReceptionStats:
    """Counters of ``capacity`` sources. Each row may occur once in a batch."""

    def __init__(self, capacity: int) -> None:
        self._started = np.zeros(capacity, np.bool_)
        self._base = np.zeros(capacity, np.int64)
        self._highest = np.zeros(capacity, np.int64)
        self._seen = np.zeros(capacity, np.uint64)
        self._transit = np.zeros(capacity, np.int64)
        self._jitter_16 = np.zeros(capacity, np.int64)
        self._expected_prior = np.zeros(capacity, np.int64)
        self._received_prior = np.zeros(capacity, np.int64)
        self._lost_before = np.zeros(capacity, np.int64)
        self._received_before = np.zeros(capacity, np.int64)
        self.received = np.zeros(capacity, np.int64)
        self.duplicates = np.zeros(capacity, np.int64)

    def reset(self, row: int) -> None:
        """The row belongs to another leg now."""
        self.restart(row)
        self.received[row] = self._received_before[row] = self.duplicates[row] = 0
        self._lost_before[row] = self._jitter_16[row] = 0

    def restart(self, row: int) -> None:
        """The sender began a new sequence (new SSRC): totals stay."""
        if self._started[row]:
            self._lost_before[row] += self._lost_in_stream(row)
        self._started[row] = False
        self._received_before[row] = self.received[row]
        self._expected_prior[row] = self._received_prior[row] = 0

    def update(self, rows: _Rows, sequence: _Ints, timestamp: _Ints, arrival: int | None) -> Reception:
        """Count a batch that arrived at ``arrival`` (timestamp units of a local clock).

        ``arrival`` is None for packets whose timestamp says nothing about when they were sent (RFC 4733 events).
        """
        started = self._started[rows]
        if not started.all():
            self._start(rows[~started], sequence[~started])
        step = ((sequence - self._highest[rows] + 0x8000) & 0xFFFF) - 0x8000
        if arrival is not None:
            self._update_jitter(rows, timestamp, arrival)
        jumped = np.abs(step) > _MAX_DROPOUT
        if jumped.any():
            for row in rows[jumped]:
                self.restart(int(row))
            self._start(rows[jumped], sequence[jumped])
            self._transit[rows[jumped]] = _UNKNOWN
            step = np.where(jumped, 1, step)
        fresh = self._mark_seen(rows, step)
        self._highest[rows] += np.maximum(step, 0)
        self.received[rows] += fresh
        self.duplicates[rows] += ~fresh
        return Reception(fresh, step)

    def next_sequence(self, rows: _Rows) -> _Ints:
        """The number of the next packet in order, 16 bits, of rows that have begun."""
        return (self._highest[rows] + 1) & 0xFFFF

    def reached(self, row: int) -> int:
        """The highest number so far, counted on past 16 bits since the stream began; 0 before that."""
        return int(self._highest[row]) if self._started[row] else 0

    def count_next(self, rows: _Rows, timestamp: _Ints, arrival: int | None) -> None:
        """:meth:`update` for packets that are all the :meth:`next_sequence` of their rows."""
        if arrival is not None:
            self._update_jitter(rows, timestamp, arrival)
        self._highest[rows] += 1
        self._seen[rows] = self._seen[rows] << _ONE | _ONE
        self.received[rows] += 1

    def _start(self, rows: _Rows, sequence: _Ints) -> None:
        self._started[rows] = True
        self._base[rows] = sequence
        self._highest[rows] = sequence - 1
        self._seen[rows] = 0
        self._transit[rows] = _UNKNOWN

    def _mark_seen(self, rows: _Rows, step: _Ints) -> _Bools:
        """Shift the windows and set the bits; False where the bit was set already. Bit 0 is the highest number."""
        seen = self._seen[rows]
        ahead = np.clip(step, 0, _WINDOW - 1).astype(np.uint64)
        seen = np.where(step >= _WINDOW, np.uint64(0), seen << ahead)
        age = np.clip(-step, 0, None)
        bit = _ONE << np.minimum(age, _WINDOW - 1).astype(np.uint64)
        # What is older than the window is far too late to play: count it as new, nobody can tell.
        fresh: _Bools = ((seen & bit) == 0) | (age >= _WINDOW)
        self._seen[rows] = seen | bit
        return fresh

    def _update_jitter(self, rows: _Rows, timestamp: _Ints, arrival: int) -> None:
        """RFC 3550 §A.8 in integers. Steps of more than a second are pauses or clock jumps, not jitter."""
        transit = (arrival - timestamp) & 0xFFFFFFFF
        known = self._transit[rows] != _UNKNOWN
        change = np.abs(((transit - self._transit[rows] + 0x80000000) & 0xFFFFFFFF) - 0x80000000)
        self._transit[rows] = transit
        jitter = self._jitter_16[rows]
        self._jitter_16[rows] = np.where((change > 8000) | ~known, jitter, jitter + change - ((jitter + 8) >> 4))

    def _in_stream(self, row: int) -> int:
        return int(self.received[row] - self._received_before[row])

    def _lost_in_stream(self, row: int) -> int:
        expected = int(self._highest[row]) - int(self._base[row]) + 1
        return max(0, expected - self._in_stream(row))

    def lost(self, row: int) -> int:
        """Packets that never came, all streams of the row together."""
        current = self._lost_in_stream(row) if self._started[row] else 0
        return int(self._lost_before[row]) + current

    def jitter(self, row: int) -> int:
        """Interarrival jitter in timestamp units."""
        return int(self._jitter_16[row]) >> 4

    def report(self, row: int) -> ReceptionReport | None:
        """Numbers for a report block, fractions since the last call; None before the first packet."""
        if not self._started[row]:
            return None
        expected = int(self._highest[row]) - int(self._base[row]) + 1
        received = self._in_stream(row)
        expected_interval = expected - int(self._expected_prior[row])
        lost_interval = expected_interval - (received - int(self._received_prior[row]))
        self._expected_prior[row], self._received_prior[row] = expected, received
        fraction = (lost_interval << 8) // expected_interval if expected_interval > 0 and lost_interval > 0 else 0
        return ReceptionReport(min(fraction, 255), self.lost(row), int(self._highest[row]), self.jitter(row))


def mos(loss_ratio: float, one_way_delay_ms: float) -> float:
    """Mean opinion score of G.711 with concealment by the E-model (ITU-T G.107), 1 to 4.5.

    Only delay and random loss are rated: R = 93.2 - Id - Ie,eff with Bpl = 25.1 (G.113 appendix I for G.711 with
    packet loss concealment); echo and noise are taken as none.
    """
    delay = max(0.0, one_way_delay_ms)
    delay_impairment = 0.024 * delay + (0.11 * (delay - 177.3) if delay > 177.3 else 0.0)
    percent = 100 * min(1.0, max(0.0, loss_ratio))
    rating = 93.2 - delay_impairment - 95 * percent / (percent + 25.1)
    if rating <= 0:
        return 1.0
    score = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
    return max(1.0, min(4.5, score))
