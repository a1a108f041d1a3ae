"""Time as something that is handed in. All times in voicegw are monotonic seconds unless the name says wall."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where ``now`` comes from."""

    def monotonic(self) -> float:
        """Seconds on CLOCK_MONOTONIC: the same scale in every process of this machine."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 UTC, for records that people read. Never used for arithmetic on media."""
        ...


class SystemClock:
    """The real clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()
