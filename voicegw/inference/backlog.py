"""Whether a worker falls behind because it has no processor, so that one more call would make all of them worse."""

from __future__ import annotations

from typing import Final

_WEIGHT: Final = 0.25
"""Of the newest look: looks are half a second apart, and what was two seconds ago counts for a third."""
_STARVED: Final = 0.5
"""Without a processor for half of the time, work takes twice as long as it should."""
_WAITED_FOR: Final = 4
"""Jobs: a worker that keeps up has one or none, and a single slow call says nothing of the next."""
_LOOKS: Final = 4
"""In a row."""


class Backlog:
    """Of one worker process. Many results that are waited for are none by themselves: a remote server or a graphics
    card may work at many at once. Nor is waiting for a processor, with nobody who waits for a result."""

    def __init__(self) -> None:
        self._starved = 0.0
        self._looks = 0

    @property
    def is_behind(self) -> bool:
        """Whether new calls are better taken elsewhere."""
        return self._looks >= _LOOKS

    def look(self, waited_for: int, starved_s: float, elapsed_s: float) -> None:
        """Take a measurement: results that are waited for now; for how much of ``elapsed_s``, the time since the
        last look, the process could have run but had no processor."""
        share = min(max(starved_s, 0.0) / elapsed_s, 1.0) if elapsed_s > 0 else 0.0
        self._starved += _WEIGHT * (share - self._starved)
        is_late = waited_for >= _WAITED_FOR and self._starved >= _STARVED
        self._looks = self._looks + 1 if is_late else 0
