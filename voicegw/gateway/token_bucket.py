"""A token bucket: so many a second on average, so many at once."""

from __future__ import annotations

from typing import NamedTuple


class Rate(NamedTuple):
    """``per_s`` on average, and at most ``burst`` at once after a pause."""

    per_s: float
    burst: float


class TokenBucket:
    """Full at first. ``now`` is monotonic seconds; time that runs backwards adds nothing."""

    __slots__ = ("rate", "_tokens", "_at")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        """May be changed; what was saved up under the old one counts, as far as the new ``burst`` goes."""
        self._tokens = rate.burst
        self._at = now

    def take(self, now: float, count: float = 1.0) -> bool:
        """Take ``count`` tokens if there are so many."""
        tokens = min(self.rate.burst, self._tokens + max(0.0, now - self._at) * self.rate.per_s)
        self._at = now
        if tokens < count:
            self._tokens = tokens
            return False
        self._tokens = tokens - count
        return True

    @property
    def is_full(self) -> bool:
        """Whether the last token was taken from a full bucket."""
        return self._tokens >= self.rate.burst - 1.0
