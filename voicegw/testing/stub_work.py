"""What the stub providers share: delays kept to the moment, and the account of what was made for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from voicegw.base.clock import Clock, SystemClock


@dataclass(frozen=True, slots=True)
class StubTime:
    """A clock and a way to wait on it; a test hands in its own of both."""

    clock: Clock = field(default_factory=SystemClock)
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep

    def now(self) -> float:
        """Monotonic seconds."""
        return self.clock.monotonic()

    async def until(self, moment: float) -> None:
        """Return at ``moment``, or when others had their turn if it is past.

        Deadlines are absolute, so that delays do not add up.
        """
        await self.wait(max(moment - self.now(), 0.0))


@dataclass(slots=True)
class StubWork:
    """What a stub did. Units are the provider's own: milliseconds of audio, or tokens."""

    jobs: int = 0
    cancelled: int = 0
    """Jobs that somebody gave up before their end."""
    made: float = 0.0
    """Units."""
    thrown_away: float = 0.0
    """Units that had been made of cancelled jobs."""

    def cancel(self, made: float) -> None:
        """A job of which ``made`` units exist is not wanted any more."""
        self.cancelled += 1
        self.thrown_away += made
