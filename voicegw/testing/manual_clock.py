"""A clock that moves only when a test says so."""

from __future__ import annotations


class ManualClock:
    """A :class:`voicegw.base.clock.Clock` that stands still. ``wall`` runs along from an arbitrary epoch."""

    def __init__(self, start: float = 1000.0, wall: float = 1_700_000_000.0) -> None:
        self._now = start
        self._wall_offset = wall - start

    def monotonic(self) -> float:
        """Seconds, as the test left them."""
        return self._now

    def wall(self) -> float:
        """Seconds since 1970 on the same scale."""
        return self._now + self._wall_offset

    def advance(self, seconds: float) -> float:
        """Move forward and return the new time."""
        return self.advance_to(self._now + seconds)

    def advance_to(self, moment: float) -> float:
        """Move forward to ``moment`` (ValueError for a moment that is past) and return it."""
        if moment < self._now:
            raise ValueError(f"time does not run backwards: {self._now} to {moment}")
        self._now = moment
        return moment
