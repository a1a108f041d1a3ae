"""How many within any so many seconds: exact, and bounded by the limit itself."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Final

_MOST: Final = 10_000
"""Keys remembered of one limit; the one that was idle for the longest makes room."""


class Windows:
    """At most ``limit`` of each key within any ``span_s``. ``now`` is monotonic seconds."""

    def __init__(self, limit: int, span_s: float) -> None:
        self.limit = limit
        self._span_s = span_s
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def change(self, limit: int) -> None:
        """Another limit; what was noted goes on counting, the newest first."""
        if limit != self.limit:
            self.limit = limit
            for key, times in self._times.items():
                self._times[key] = deque(times, maxlen=limit)

    def has_room(self, key: Hashable, now: float) -> bool:
        """Whether one more would be within the limit."""
        times = self._times.get(key)
        return times is None or len(times) < self.limit or now - times[0] >= self._span_s

    def note(self, key: Hashable, now: float) -> None:
        """One more."""
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = deque(maxlen=self.limit)
            if len(self._times) > _MOST:
                self._times.popitem(last=False)
        times.append(now)
        self._times.move_to_end(key)


class Known:
    """Things that were seen lately; the one that was not seen for the longest is forgotten."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, thing: Hashable) -> bool:
        return thing in self._seen

    def note(self, thing: Hashable) -> None:
        """It was seen now."""
        self._seen[thing] = None
        self._seen.move_to_end(thing)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
