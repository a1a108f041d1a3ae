"""When the media process looks for garbage: seldom, completely, and only where a tick has left time for it.

The collector must not run when it pleases, so it is off. It has to run all the same, and through all generations.
What lives through two of its rounds is visited in a full one only: a cycle of a call that was up then would stay
for ever. And only a full one empties CPython's lists of free tuples. Every new plan adds to these (``tuple(...)``
of a generator takes a tuple of ten and gives back one of another length), up to 2,000 of each length: 4 MB that
look like a leak for hours. What was frozen at the start is not visited, so a full round costs a millisecond.
"""

from __future__ import annotations

import gc
from typing import Final

_EVERY_TICKS: Final = 1500
"""30 s."""
_ROOM_S: Final = 0.012
"""A tick that was busy for longer leaves no time."""


class Sweeper:
    """To be told of every tick, after its packets have left."""

    def __init__(self) -> None:
        self._ticks = 0

    @staticmethod
    def begin() -> None:
        """All that is there now stays; from now on nothing is collected but by :meth:`note`."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def note(self, busy_s: float) -> None:
        """A tick was busy for so long. Collects in the first that left time when it is due."""
        self._ticks += 1
        if self._ticks >= _EVERY_TICKS and busy_s < _ROOM_S:
            self._ticks = 0
            gc.collect()
