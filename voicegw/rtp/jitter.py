"""The jitter buffer of many streams: payloads in by timestamp, one frame of each stream out per tick.

A payload of one byte a sample (G.711) is stored where its timestamp says, so packets of 10 to 60 ms, reordering
and duplicates need no queue: a row is a ring of samples with a flag each. Positions are samples since the stream
began, past 32 bits. What counts as lost is decided by sequence numbers (RFC 3550 §A.3), not here: a hole in the
timestamps without one in the sequence is silence suppression (RFC 3551 §4.1).

The delay starts at a fixed target. A late packet makes it thicker by holding the playout back; a window in which
even the slowest packet had frames to spare makes it thinner by skipping one, in a quiet moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicegw.rtp.stats import Reception

_Rows = NDArray[np.intp]
_Ints = NDArray[np.int64]
_Bools = NDArray[np.bool_]
_Bytes = NDArray[np.uint8]

RING_FRAMES = 32
"""Frames in a ring: 640 ms at 20 ms, three times the largest delay, so that a burst never overruns."""
_ADAPT_TICKS = 250
"""The buffer may get one frame thinner every 5 s."""
_ALWAYS = np.int64(1 << 60)


@dataclass(frozen=True, slots=True)
class JitterLimits:
    """Delays in frames: of a new stream, and what adaptation stays within."""

    start: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """One frame a row: ``codes`` and ``present`` are (n, frame); absent samples hold no meaning.

    ``due`` (n,) says whether the row's stream has begun, so that what is absent is missing; None when nothing is.
    """

    codes: _Bytes
    present: _Bools
    due: _Bools | None


class JitterBank:
    """Rings of ``capacity`` streams. Each row may occur once in a batch."""

    def __init__(self, capacity: int, frame_samples: int, limits: JitterLimits) -> None:
        self._frame = frame_samples
        self._limits = limits
        self._size = RING_FRAMES * frame_samples
        self._codes = np.zeros((capacity, RING_FRAMES, frame_samples), np.uint8)
        self._present = np.zeros((capacity, RING_FRAMES, frame_samples), np.bool_)
        self.running = np.zeros(capacity, np.bool_)
        """Whether the row has a stream, that is, whether a missing frame is to be concealed."""
        self._play = np.zeros(capacity, np.int64)  # position of the next frame out, a multiple of the frame
        self._end = np.zeros(capacity, np.int64)  # end of the newest packet
        self._newest_timestamp = np.zeros(capacity, np.int64)
        self._newest = np.zeros(capacity, np.int64)  # position of that timestamp
        self._spurt = np.zeros(capacity, np.int64)  # where the talk after the last pause begins
        self._hold = np.zeros(capacity, np.int64)  # ticks for which the playout stands still
        self._holding = False
        """Whether any row is held back."""
        self._slack = np.full(capacity, _ALWAYS)  # least samples ahead of the playout at arrival, this window
        self._window = np.zeros(capacity, np.int64)  # ticks left in the adaptation window
        self.late = np.zeros(capacity, np.int64)
        self.resyncs = np.zeros(capacity, np.int64)
        self.concealed = np.zeros(capacity, np.int64)
        """Samples that were missing when they were due, pauses in the talk not counted."""
        self._missing = np.zeros(capacity, np.int64)  # the same, since the last packet: perhaps a pause

    def reset(self, row: int) -> None:
        """The row belongs to another leg now."""
        self.restart(row)
        self.late[row] = self.resyncs[row] = self.concealed[row] = 0

    def restart(self, row: int) -> None:
        """The next packet begins a new stream (new SSRC)."""
        self.running[row] = False
        self._present[row] = False

    def insert(
        self, rows: _Rows, timestamp: _Ints, packets: _Bytes, offset: int, lengths: _Ints, reception: Reception
    ) -> None:
        """Store payloads: ``packets[i, offset:offset + lengths[i]]`` belongs at ``timestamp[i]`` of ``rows[i]``."""
        position = self._positions(rows, timestamp, reception)
        end = position + lengths
        ahead = position - self._play[rows]
        late = end <= self._play[rows]
        self._slack[rows] = np.minimum(self._slack[rows], ahead)
        overdue = reception.fresh & (ahead < 0)
        if overdue.any():
            self._thicken(rows[overdue], -(ahead[overdue] // self._frame))
        if late.any():
            self.late[rows] += late & reception.fresh
        self._end[rows] = np.maximum(self._end[rows], end)
        keep = reception.fresh & ~late
        whole = keep & (lengths == self._frame) & (position % self._frame == 0)
        if whole.all():
            self._store_frames(rows, position, packets[:, offset : offset + self._frame])
            return
        if whole.any():
            self._store_frames(rows[whole], position[whole], packets[whole, offset : offset + self._frame])
        for index in np.flatnonzero(keep & ~whole):
            payload = packets[index, offset : offset + int(lengths[index])]
            self._store_odd(int(rows[index]), int(position[index]), payload)

    def next_timestamp(self, rows: _Rows) -> _Ints:
        """The timestamp after the newest packet of each row; -1 where the row has no stream in whole frames."""
        following = (self._newest_timestamp[rows] + self._frame) & 0xFFFFFFFF
        whole = self.running[rows] & (self._newest[rows] % self._frame == 0)
        return np.where(whole, following, -1)

    def append(self, rows: _Rows, timestamp: _Ints, payloads: _Bytes) -> bool:
        """Store a frame (len(rows), frame) at the :meth:`next_timestamp` of each row, which is what almost all
        packets bring. False, and nothing is stored, if not all are in time: they are for :meth:`insert` then."""
        position = self._newest[rows] + self._frame
        ahead = position - self._play[rows]
        if ahead.min() < 0 or ahead.max() >= self._size - 3 * self._frame:
            return False
        self._newest_timestamp[rows] = timestamp
        self._newest[rows] = position
        self._end[rows] = np.maximum(self._end[rows], position + self._frame)
        self._slack[rows] = np.minimum(self._slack[rows], ahead)
        missing = self._missing[rows]
        if missing.any():
            self.concealed[rows] += missing
            self._missing[rows] = 0
        self._store_frames(rows, position, payloads)
        return True

    def _positions(self, rows: _Rows, timestamp: _Ints, reception: Reception) -> _Ints:
        """Where each packet belongs; starts new streams and starts over after a jump."""
        change = ((timestamp - self._newest_timestamp[rows] + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        position = self._newest[rows] + change
        ahead = position - self._play[rows]
        newer = reception.step > 0
        running = self.running[rows]
        # Behind the ring's length means a restarted clock only if the sequence went on; else it is just very late.
        jumped = running & ((ahead >= self._size - 3 * self._frame) | ((ahead < -self._size) & newer))
        begin = ~running | jumped
        if begin.any():
            self.resyncs[rows] += jumped
            self._begin(rows[begin])
            position = np.where(begin, 0, position)
        # After a pause in the talk the frames need not be where they were: back to whole frames.
        paused = (reception.step == 1) & (position > self._end[rows]) & ~begin
        if paused.any():
            position = np.where(paused, position - position % self._frame, position)
            self._spurt[rows] = np.where(paused, position, self._spurt[rows])
        self.concealed[rows] += np.where(paused | begin, 0, self._missing[rows])
        self._missing[rows] = 0
        advance = begin | newer & (position >= self._newest[rows])
        self._newest[rows] = np.where(advance, position, self._newest[rows])
        self._newest_timestamp[rows] = np.where(advance, timestamp, self._newest_timestamp[rows])
        return position

    def _begin(self, rows: _Rows) -> None:
        self.running[rows] = True
        self._present[rows] = False
        self._play[rows] = -self._limits.start * self._frame
        self._end[rows] = self._newest[rows] = self._hold[rows] = self._spurt[rows] = 0
        self._slack[rows] = _ALWAYS
        self._window[rows] = _ADAPT_TICKS

    def _thicken(self, rows: _Rows, late_frames: _Ints) -> None:
        """Hold back by as much as the packet was late, within the limit; what is later than a ring is a jump."""
        delay = np.maximum(self._end[rows] - self._play[rows], 0) // self._frame
        hold = np.minimum(late_frames, np.maximum(self._limits.most - delay, 0))
        self._hold[rows] = np.maximum(self._hold[rows], np.where(late_frames > RING_FRAMES, 0, hold))
        self._window[rows] = _ADAPT_TICKS
        self._holding = True

    def _store_frames(self, rows: _Rows, position: _Ints, payload: _Bytes) -> None:
        slot = position // self._frame % RING_FRAMES
        self._codes[rows, slot] = payload
        self._present[rows, slot] = True

    def _store_odd(self, row: int, position: int, payload: _Bytes) -> None:
        """A packet that is not one frame of the ring: in up to two pieces, without what was already played."""
        skip = max(0, int(self._play[row]) - position)
        payload, position = payload[skip : skip + self._size // 2], position + skip
        codes, present = self._codes[row].reshape(-1), self._present[row].reshape(-1)
        start = position % self._size
        first = min(len(payload), self._size - start)
        codes[start : start + first] = payload[:first]
        present[start : start + first] = True
        codes[: len(payload) - first] = payload[first:]
        present[: len(payload) - first] = True

    def pull(self, rows: _Rows) -> Pulled:
        """The next frame of each row."""
        slot = self._play[rows] // self._frame % RING_FRAMES
        present = self._present[rows, slot]
        codes = self._codes[rows, slot]
        if self._holding or not present.all():
            return self._pull_torn(rows, slot, codes, present)
        self._present[rows, slot] = False
        self._play[rows] += self._frame
        return Pulled(codes, present, None)

    def newest(self, row: int) -> int:
        """The position of the newest packet of a row."""
        return int(self._newest[row])

    def plays(self, row: int, position: int) -> bool:
        """Whether the next frame of a row reaches to ``position`` or beyond, or the stream is another one."""
        return not self.running[row] or int(self._play[row]) + self._frame > position

    def upcoming(self, row: int) -> tuple[_Bytes, _Bools]:
        """What :meth:`pull` will give next for the row, as far as it has come: codes, and which are there."""
        slot = int(self._play[row]) // self._frame % RING_FRAMES
        return self._codes[row, slot], self._present[row, slot]

    def _pull_torn(self, rows: _Rows, slot: _Ints, codes: _Bytes, present: _Bools) -> Pulled:
        """The same when something is missing or a row is held back."""
        held = self._hold[rows] > 0
        due = self.running[rows] & (self._play[rows] >= 0)
        present[held] = False
        absent = self._frame - np.count_nonzero(present, axis=1)
        # Between the first packet after a pause and its turn the old samples of the pause are still played.
        talking = due & (self._play[rows] >= self._spurt[rows])
        self._missing[rows] += np.where(talking, absent, 0)
        self._hold[rows] -= held
        self._holding = bool(self._hold.any())
        moving = ~held
        self._present[rows[moving], slot[moving]] = False
        self._play[rows[moving]] += self._frame
        return Pulled(codes, present, due)

    def thin(self, rows: _Rows, quiet: _Bools, ticks: int) -> None:
        """At the end of a window, drop one frame where every packet came at least two frames too early.

        To be called every ``ticks`` pulls; ``quiet`` says where skipping one frame would not be heard.
        """
        self._window[rows] -= ticks
        due = self._window[rows] <= 0
        if not due.any():
            return
        slack = self._slack[rows]
        spare = due & (slack < _ALWAYS) & (slack >= (self._limits.least + 1) * self._frame)
        skip = rows[spare & quiet]
        slot = self._play[skip] // self._frame % RING_FRAMES
        self._present[skip, slot] = False
        self._play[skip] += self._frame
        ended = rows[due & (~spare | quiet)]
        self._window[ended] = _ADAPT_TICKS
        self._slack[ended] = _ALWAYS

    def skip(self, rows: _Rows, frames: int) -> None:
        """Time went by without a tick: let ``frames`` go unheard, so that the delay stays what it was."""
        for _ in range(min(frames, RING_FRAMES)):
            slot = self._play[rows] // self._frame % RING_FRAMES
            self._present[rows, slot] = False
            self._play[rows] += self._frame

    def delay_samples(self, row: int) -> int:
        """Samples from the playout position to the end of the newest packet."""
        return max(0, int(self._end[row] - self._play[row])) if self.running[row] else 0
