"""When in a tick the packets leave: at the same moment of every tick, not when its work happens to be done.

What precedes the departure takes longer in some ticks than in others (windows of speech detection, codecs, cold
caches), and every millisecond of that would be jitter at the far end. So packets that are ready early wait until
nearly all of a tick's packets are ready. That moment is learned, and follows the load slowly downwards: a step
of it is a step in the timing of every stream.
"""

from __future__ import annotations

from typing import Final

import numpy as np

_STEP_S: Final = 0.00025
_MOST_S: Final = 0.012
"""Beyond it nothing waits: a worker that needs longer has no time to give away."""
_BINS: Final = round(_MOST_S / _STEP_S) + 1
_SPAN_TICKS: Final = 50
"""A second, for a raise; what comes late for a second is heard."""
_KEPT: Final = 0.9
"""Of what was learned, from each span to the next: half is forgotten within seven seconds."""
_LOWERING: Final = 10
"""Spans, before it is lowered by one step."""
_LATE_SHARE: Final = 0.005
"""Of the ticks of late: half of what shows in the 99th percentile of the jitter."""


class DepartureTime:
    """The moment, in seconds from the deadline of a tick."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        """When packets leave that are ready before it."""
        self._counts = np.zeros(_BINS)
        self._spans = 0
        self._ticks = 0

    def note(self, ready_s: float) -> None:
        """The packets of a tick were ready so long after its deadline."""
        self._counts[min(max(int(ready_s / _STEP_S) + 1, 0), _BINS - 1)] += 1
        self._ticks += 1
        if self._ticks % _SPAN_TICKS == 0:
            self._learn()
            self._counts *= _KEPT

    def _learn(self) -> None:
        """Up at once where too many came later, down by a step when for long all have come earlier."""
        wish = self._wish()
        self._spans += 1
        if wish > self.offset_s:
            self.offset_s, self._spans = wish, 0
        elif self._spans == _LOWERING:
            self.offset_s, self._spans = max(wish, self.offset_s - _STEP_S), 0

    def _wish(self) -> float:
        """Before this almost all ticks of late were ready."""
        later = self._counts[::-1].cumsum()[::-1]  # in this bin, or in one after it
        few = np.flatnonzero(later <= max(1.0, _LATE_SHARE * later[0]))
        return float((few[0] if len(few) else _BINS) - 1) * _STEP_S
