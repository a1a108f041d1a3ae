"""The jitter buffer of many streams: payloads in by timestamp, one frame of each stream out per tick.

A payload of one byte a sample (G.711) is stored where its timestamp says, so packets of 10 to 60 ms, reordering
and duplicates need no queue: a row is a ring of samples with a flag each. Positions are samples since the stream
began, past 32 bits. What counts as lost is decided by sequence numbers (RFC 3550 §A.3), not here: a hole in the
timestamps without one in the sequence is silence suppression (RFC 3551 §4.1).

The delay starts at a fixed target. A late packet makes it thicker by holding the playout back, up to the most that
is allowed; when it is to be thinner, or a frame thicker again, is told by :mod:`voicegw.rtp.jitter_pace`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicegw.rtp.jitter_pace import QUIET_DBOV, Pace
from voicegw.rtp.stats import Reception

_Rows = NDArray[np.intp]
_Ints = NDArray[np.int64]
_Bools = NDArray[np.bool_]
_Bytes = NDArray[np.uint8]
_Levels = NDArray[np.float32]

RING_FRAMES = 32
"""Frames in a ring: 640 ms at 20 ms, three times the largest delay, so that a burst never overruns."""
_SETTLING_FRAMES = 25
"""A burst in the first half second of a stream is what has piled up before it: the newest of it counts."""
_SHIFT_FRAMES = 10
"""When all packets of so long a time were late, the path is longer now, and no stall that will be made up for."""
_NEVER = np.int64(-(1 << 60))


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


@dataclass(frozen=True, slots=True)
class Adapted:
    """Places, among the rows that were asked about, of those that are to play a frame less or more."""

    shorter: _Rows
    """Their next frame is there: it is to be pulled in the same tick, and joined with the one before."""
    longer: _Rows
    """Their next frame is to be played twice: see :meth:`JitterBank.stand`."""


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
        self._stand = np.zeros(capacity, np.bool_)  # the same for the next tick only: something else is played
        self._pace = Pace(capacity, frame_samples, limits.least, limits.most)
        self._behind_since = np.full(capacity, _NEVER)  # the playout when packets began to be late, all of them
        self._behind = False
        """Whether any row's packets are."""
        self._seam = np.full(capacity, _NEVER)  # where another codec begins
        self.late = np.zeros(capacity, np.int64)
        self.resyncs = np.zeros(capacity, np.int64)
        self.concealed = np.zeros(capacity, np.int64)
        """Samples that were missing when they were due, pauses in the talk not counted."""
        self._missing = np.zeros(capacity, np.int64)  # the same, since the last packet: perhaps a pause

    def use(self, limits: JitterLimits) -> None:
        """Other delays for new streams, and for what running ones adapt to from now on."""
        self._limits = limits
        self._pace.use(limits.least, limits.most)

    def reset(self, row: int) -> None:
        """The row belongs to another leg now."""
        self.restart(row)
        self.late[row] = self.resyncs[row] = self.concealed[row] = 0

    def restart(self, row: int) -> None:
        """The next packet begins a new stream (new SSRC)."""
        self.running[row] = self._stand[row] = False
        self._present[row] = False
        # What nobody pulls any more would keep all others from the short ways for as long as the row is free.
        self._hold[row] = 0
        self._behind_since[row] = _NEVER

    def insert(
        self, rows: _Rows, timestamp: _Ints, packets: _Bytes, offset: int, lengths: _Ints, reception: Reception
    ) -> None:
        """Store payloads: ``packets[i, offset:offset + lengths[i]]`` belongs at ``timestamp[i]`` of ``rows[i]``."""
        position = self._positions(rows, timestamp, reception)
        end = position + lengths
        ahead = position - self._play[rows]
        late = end <= self._play[rows]
        self._pace.note(rows, ahead, ahead + lengths - self._frame)
        if self._behind:
            self._catch_up(rows[ahead >= 0])
        overdue = reception.fresh & (ahead < 0)
        if overdue.any():
            self._thicken(rows[overdue], ahead[overdue])
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
        if ahead.min() < 0 or self._runs_over(rows, ahead):
            return False
        self._newest_timestamp[rows] = timestamp
        self._newest[rows] = position
        self._end[rows] = np.maximum(self._end[rows], position + self._frame)
        self._pace.note(rows, ahead, ahead)
        if self._behind:
            self._catch_up(rows)
        missing = self._missing[rows]
        if missing.any():
            self.concealed[rows] += missing
            self._missing[rows] = 0
        self._store_frames(rows, position, payloads)
        return True

    def _runs_over(self, rows: _Rows, ahead: _Ints) -> bool:
        """Whether packets that are so far ahead are too many, for the ring or for a stream that has just begun."""
        most = ahead.max()
        if most <= self._limits.most * self._frame:
            return False
        return bool(most >= self._size - 3 * self._frame or self._piled_up(rows, ahead).any())

    def _piled_up(self, rows: _Rows, ahead: _Ints) -> _Bools:
        settling = self._play[rows] < _SETTLING_FRAMES * self._frame
        piled_up: _Bools = settling & (ahead > self._limits.most * self._frame)
        return piled_up

    def _positions(self, rows: _Rows, timestamp: _Ints, reception: Reception) -> _Ints:
        """Where each packet belongs; starts new streams and starts over after a jump."""
        change = ((timestamp - self._newest_timestamp[rows] + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        position = self._newest[rows] + change
        ahead = position - self._play[rows]
        newer = reception.step > 0
        running = self.running[rows]
        # Behind the ring's length means a restarted clock only if the sequence went on; else it is just very late.
        jumped = running & ((ahead >= self._size - 3 * self._frame) | ((ahead < -self._size) & newer))
        jumped |= running & self._piled_up(rows, ahead)
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
        self._stand[rows] = False
        self._behind_since[rows] = self._seam[rows] = _NEVER
        self._pace.begin(rows)

    def _thicken(self, rows: _Rows, ahead: _Ints) -> None:
        """Hold back by as much as packets were late, within the limit; what is later than a ring is a jump.

        What the buffer holds says nothing about the limit: after a stall it is empty, and what comes in a moment is
        not late by then.
        """
        late_frames = -(ahead // self._frame)
        since, play = self._behind_since[rows], self._play[rows]
        shifted = (since != _NEVER) & (play - since >= _SHIFT_FRAMES * self._frame)
        if shifted.any():
            self._pace.take_for_all(rows[shifted], ahead[shifted])
        self._behind_since[rows] = np.where(since == _NEVER, play, since)
        hold = np.minimum(late_frames, self._pace.room_frames(rows))
        self._hold[rows] = np.maximum(self._hold[rows], np.where(late_frames > RING_FRAMES, 0, hold))
        self._pace.postpone(rows)
        self._holding = self._behind = True

    def _catch_up(self, rows: _Rows) -> None:
        """These had a packet in time."""
        self._behind_since[rows] = _NEVER
        self._behind = bool((self._behind_since != _NEVER).any())

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

    def mark_seam(self, row: int) -> int:
        """The newest packet of a row is the first of another codec. Returns its position."""
        self._seam[row] = self._newest[row]
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
        standing = self._stand[rows]
        held = (self._hold[rows] > 0) | standing
        due = self.running[rows] & (self._play[rows] >= 0)
        present[held] = False
        absent = self._frame - np.count_nonzero(present, axis=1)
        # Between the first packet after a pause and its turn the old samples of the pause are still played.
        talking = due & (self._play[rows] >= self._spurt[rows])
        self._missing[rows] += np.where(talking & ~standing, absent, 0)
        self._hold[rows] -= held & ~standing
        self._stand[rows] = False
        self._holding = bool(self._hold.any() or self._stand.any())
        self._pace.moved(rows[held], 1)
        moving = ~held
        self._present[rows[moving], slot[moving]] = False
        self._play[rows[moving]] += self._frame
        return Pulled(codes, present, due)

    def adapt(self, rows: _Rows, level_dbov: _Levels, ticks: int) -> Adapted | None:
        """Which rows are to play a frame less, or more, than came; None for none.

        To be called every ``ticks`` pulls; ``level_dbov`` is that of the frames that are played now.
        """
        found = self._pace.look(rows, level_dbov, ticks)
        if found is None:
            return None
        # Nothing is joined across a change of codec, for which the frame after it is none of its own.
        free = self.running[rows] & (self._hold[rows] == 0) & (self._seam[rows] < self._play[rows])
        places, longer = (np.flatnonzero(wanted & free) for wanted in found)
        chosen = rows[places]
        there = np.count_nonzero(self._present[chosen, self._play[chosen] // self._frame % RING_FRAMES], axis=1)
        paused = self._missing[chosen] >= self._frame
        empty = (there == 0) & (paused | (level_dbov[places] < QUIET_DBOV))
        whole = there == self._frame
        self._play[chosen[empty]] += self._frame
        self._pace.moved(chosen[empty | whole], -1)
        self._pace.restart(np.concatenate([chosen[empty | whole], rows[longer]]))
        return Adapted(places[whole], longer)

    def stand(self, rows: _Rows) -> None:
        """In the next tick the playout stands still: nothing is missing then, and something else is played."""
        self._stand[rows] = self._holding = True

    def skip(self, rows: _Rows, frames: int) -> None:
        """Time went by without a tick: let ``frames`` go unheard, so that the delay stays what it was."""
        for _ in range(min(frames, RING_FRAMES)):
            slot = self._play[rows] // self._frame % RING_FRAMES
            self._present[rows, slot] = False
            self._play[rows] += self._frame

    def delay_samples(self, row: int) -> int:
        """Samples from the playout position to the end of the newest packet."""
        return max(0, int(self._end[row] - self._play[row])) if self.running[row] else 0
