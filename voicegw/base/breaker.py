"""Leaves a provider alone that keeps failing, and tries it again with one request after a pause.

Pure: it is told what happened and what time it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from voicegw.base.fsm import TransitionTable


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """When a provider that fails is left alone, and for how long."""

    open_after: int = 3
    """Failures in a row. One may be an accident; callers should not pay for more than a few."""
    open_s: float = 10.0
    """The first pause; doubles each time the trial after it fails."""
    open_max_s: float = 120.0
    """The longest pause, also for what a server asks for with Retry-After."""


class BreakerState(Enum):
    """What is done with the provider."""

    CLOSED = auto()
    """Used."""
    OPEN = auto()
    """Left alone."""
    HALF_OPEN = auto()
    """One answer is under way that decides; no others."""


class BreakerEvent(Enum):
    """What happened to an answer."""

    TRIED = auto()
    """The pause is over and one answer is asked for."""
    SUCCEEDED = auto()
    FAILED = auto()
    """And too few failures in a row to matter."""
    TRIPPED = auto()
    """One failure too many, or the server itself asks for a pause."""
    ABANDONED = auto()
    """Cancelled before it came to anything."""


_CLOSED, _OPEN, _HALF = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN

TABLE: TransitionTable[BreakerState, BreakerEvent] = TransitionTable(
    "breaker",
    {
        (_CLOSED, BreakerEvent.SUCCEEDED): _CLOSED,
        (_CLOSED, BreakerEvent.FAILED): _CLOSED,
        (_CLOSED, BreakerEvent.TRIPPED): _OPEN,
        (_CLOSED, BreakerEvent.ABANDONED): _CLOSED,
        (_OPEN, BreakerEvent.TRIED): _HALF,
        # Answers that began before the breaker opened. One that succeeds proves that the provider is well.
        (_OPEN, BreakerEvent.SUCCEEDED): _CLOSED,
        (_OPEN, BreakerEvent.TRIPPED): _OPEN,
        (_OPEN, BreakerEvent.ABANDONED): _OPEN,
        (_HALF, BreakerEvent.SUCCEEDED): _CLOSED,
        (_HALF, BreakerEvent.TRIPPED): _OPEN,
        (_HALF, BreakerEvent.ABANDONED): _OPEN,
    },
)


class CircuitBreaker:
    """The breaker of one provider, shared by all calls of a node. ``now`` is monotonic seconds."""

    def __init__(self, config: BreakerConfig) -> None:
        self.state = BreakerState.CLOSED
        self._config = config
        self._failures = 0
        self._trips = 0
        self._until = 0.0

    def allows(self, now: float) -> bool:
        """Whether the provider may be asked."""
        return self.state is _CLOSED or (self.state is _OPEN and now >= self._until)

    def asked(self, now: float) -> None:
        """An answer was asked for; only if :meth:`allows` says so."""
        if self.state is not _CLOSED and self.allows(now):
            self._move(BreakerEvent.TRIED)

    def succeeded(self) -> None:
        """The provider spoke."""
        self._move(BreakerEvent.SUCCEEDED)
        self._failures = 0
        self._trips = 0

    def failed(self, now: float, retry_after_s: float | None = None) -> None:
        """An answer failed. ``retry_after_s``: the server asks to be left alone for so long."""
        self._failures += 1
        enough = self._failures >= self._config.open_after or retry_after_s is not None
        if self.state is _CLOSED and not enough:
            self._move(BreakerEvent.FAILED)
            return
        late = self.state is _OPEN
        self._move(BreakerEvent.TRIPPED)
        if not late:
            self._trips += 1
        pause_s = max(self._config.open_s * 2.0 ** min(self._trips - 1, 30), retry_after_s or 0.0)
        self._until = max(self._until, now + min(pause_s, self._config.open_max_s))

    def abandoned(self) -> None:
        """An answer was cancelled and says nothing; a trial may be repeated at once."""
        self._move(BreakerEvent.ABANDONED)

    def _move(self, event: BreakerEvent) -> None:
        self.state = TABLE.next(self.state, event)
