"""When in a tick the packets leave: at the same moment of every tick, not when its work happens to be done.

What precedes the departure takes longer in some ticks than in others (windows of speech detection, codecs, cold
caches), and every millisecond of that would be jitter at the far end. So packets that are ready early wait for a
moment by which nearly all ticks are ready. It follows the load, of which the times of three ticks in four tell, and
leaves room above them. The slowest ticks have no say: what makes them slow on a shared machine is mostly its
host, and each step of the departure would be a step in the timing of every stream, worse than the late tick.
"""

from __future__ import annotations

from typing import Final

import numpy as np

_STEP_S: Final = 0.00025
_MOST_S: Final = 0.012
"""Beyond it nothing waits: a worker that needs longer has no time to give away."""
_BINS: Final = round(_MOST_S / _STEP_S) + 1
_SPAN_TICKS: Final = 50
"""A second, between two looks."""
_KEPT: Final = 0.9
"""Of what was learned, from each span to the next: half is forgotten within seven seconds."""
_TELLING_SHARE: Final = 0.75
_ROOM: Final = 1.5
_ROOM_S: Final = 0.001
"""They leave when three ticks in four have been ready for half as long again, and a millisecond."""
_RAISED_AT: Final = 1.2
_LOWERED_AT: Final = 0.6
"""The departure stays where it is while what is wished for lies between these shares of it."""


class DepartureTime:
    """The moment, in seconds from the deadline of a tick."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        """When packets leave that are ready before it."""
        self._counts = np.zeros(_BINS)
        self._ticks = 0

    def note(self, ready_s: float) -> None:
        """The packets of a tick were ready so long after its deadline."""
        self._counts[min(max(int(ready_s / _STEP_S) + 1, 0), _BINS - 1)] += 1
        self._ticks += 1
        if self._ticks % _SPAN_TICKS == 0:
            self._learn()
            self._counts *= _KEPT

    def _learn(self) -> None:
        wish = min(_MOST_S, self._usual() * _ROOM + _ROOM_S)
        if not _LOWERED_AT * self.offset_s <= wish <= _RAISED_AT * self.offset_s:
            self.offset_s = wish

    def _usual(self) -> float:
        """Before this the telling share of the ticks of late was ready; seconds."""
        earlier = self._counts.cumsum()
        return float(np.searchsorted(earlier, _TELLING_SHARE * earlier[-1])) * _STEP_S
