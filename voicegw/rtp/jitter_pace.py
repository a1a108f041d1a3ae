"""When the playout of a stream is to be made a frame shorter or longer, for many rows at once.

Packets tell by how far ahead of the playout they come. The one that is least ahead says what all can spare, the one
that is furthest ahead how thick the buffer is: what no network delays waits for so long. A buffer that has more
than it needs is made thinner, one that clocks have made thinner than the least gets a frame back, and late packets
make none thicker than the most.

A frame more or less is not heard in silence. Lines with noise or music have none: when a change has been due for
long enough, the quietest moment will do, and what counts as quiet grows with the waiting.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_Rows = NDArray[np.intp]
_Ints = NDArray[np.int64]
_Bools = NDArray[np.bool_]
_Levels = NDArray[np.float32]

QUIET_DBOV: Final = -50.0
"""A frame more or less of this level is not heard."""
WINDOW_TICKS: Final = 250
"""What packets can spare is looked at for 5 s before a frame is changed."""
_HASTE_TICKS: Final = 50
"""The same, 1 s, while the buffer is thicker than the most that is allowed."""
_PATIENCE_TICKS: Final = 250
"""Silence is waited for so long, 5 s; then the quietest moment is."""
_DB_PER_TICK: Final = 0.1
"""From then on so much more is quiet enough: after some seconds the pauses in music, at last anything."""
_SPAN_TICKS: Final = 250
"""How thick the buffer is is known from the packets of the last one or two such spans."""
UNKNOWN: Final = np.int64(1 << 60)


class Pace:
    """Of ``capacity`` streams; positions are samples, ``least`` and ``most`` frames of delay."""

    def __init__(self, capacity: int, frame_samples: int, least: int, most: int) -> None:
        self._frame = frame_samples
        self.use(least, most)
        self._window = np.zeros(capacity, np.int64)
        """Ticks until the next change; below 0 those for which one has been due."""
        self._slack = np.full(capacity, UNKNOWN)
        """Least samples ahead of the playout at arrival, in this window."""
        self._quietest = np.full(capacity, np.inf, np.float32)
        """Level of its quietest frame that was looked at."""
        self._peak = np.full(capacity, -UNKNOWN)
        """Most samples ahead at arrival, in this span; and in the one before."""
        self._peak_before = np.full(capacity, -UNKNOWN)
        self._span = np.zeros(capacity, np.int64)
        """Ticks left of it."""

    def use(self, least: int, most: int) -> None:
        """Other frames of delay from now on."""
        self._most = most
        self._thinnest, self._thickest = least * self._frame, most * self._frame

    def begin(self, rows: _Rows) -> None:
        """New streams."""
        self.restart(rows)
        self._peak[rows] = self._peak_before[rows] = -UNKNOWN
        self._span[rows] = _SPAN_TICKS

    def restart(self, rows: _Rows) -> None:
        """Look at what packets can spare anew."""
        self._window[rows] = WINDOW_TICKS
        self._slack[rows] = UNKNOWN
        self._quietest[rows] = np.inf

    def postpone(self, rows: _Rows) -> None:
        """Packets were late: nothing is made thinner soon."""
        self._window[rows] = WINDOW_TICKS

    def note(self, rows: _Rows, first: _Ints, last: _Ints) -> None:
        """Packets came whose first frame is so far ahead of the playout, and the last one so far."""
        self._slack[rows] = np.minimum(self._slack[rows], first)
        self._peak[rows] = np.maximum(self._peak[rows], last)

    def take_for_all(self, rows: _Rows, ahead: _Ints) -> None:
        """The path is another one: what is so far ahead is all that there is."""
        self._peak[rows] = self._peak_before[rows] = ahead

    def moved(self, rows: _Rows, frames: int) -> None:
        """The playout stood still for so many frames; negative: went ahead by them."""
        self._peak[rows] += frames * self._frame
        self._peak_before[rows] += frames * self._frame

    def room_frames(self, rows: _Rows) -> _Ints:
        """By how much each may still get thicker."""
        room: _Ints = np.maximum(self._most - self._thickness(rows) // self._frame, 0)
        return room

    def _thickness(self, rows: _Rows) -> _Ints:
        thickness: _Ints = np.maximum(self._peak[rows], self._peak_before[rows])
        return thickness

    def look(self, rows: _Rows, level_dbov: _Levels, ticks: int) -> tuple[_Bools, _Bools] | None:
        """Which of ``rows`` are to be a frame shorter, and which longer, now; None for nothing.

        To be called every ``ticks`` ticks; ``level_dbov`` is that of the frames that are played.
        """
        self._age(rows, ticks)
        self._window[rows] -= ticks
        self._quietest[rows] = np.minimum(self._quietest[rows], level_dbov)
        window, thickness = self._window[rows], self._thickness(rows)
        over = thickness > self._thickest
        due = (window <= 0) | (over & (window <= WINDOW_TICKS - _HASTE_TICKS))
        if not due.any():
            return None
        slack = self._slack[rows]
        shorter = due & (slack < UNKNOWN) & (slack >= self._thinnest + self._frame)
        longer = due & (slack < UNKNOWN) & (thickness < self._thinnest)
        self.restart(rows[due & ~shorter & ~longer])
        waited = np.where(over, WINDOW_TICKS - _HASTE_TICKS - window, -_PATIENCE_TICKS - window)
        enough = (waited >= 0) & (level_dbov <= self._quietest[rows] + waited * _DB_PER_TICK)
        calm = enough | (level_dbov < QUIET_DBOV)
        return shorter & calm, longer & calm

    def _age(self, rows: _Rows, ticks: int) -> None:
        """Begin the next span where one is over; one without a packet tells nothing."""
        self._span[rows] -= ticks
        over = rows[self._span[rows] <= 0]
        if len(over):
            told = self._peak[over] > -UNKNOWN // 2
            self._peak_before[over] = np.where(told, self._peak[over], self._peak_before[over])
            self._peak[over] = -UNKNOWN
            self._span[over] = _SPAN_TICKS
