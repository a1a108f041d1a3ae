"""An event loop whose time is a manual clock: timeouts and sleeps end when the test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from voicegw.testing.manual_clock import ManualClock

T = TypeVar("T")
_SETTLE_STEPS = 20
STEP_S = 0.02


class ManualLoop(asyncio.SelectorEventLoop):
    """For code that never waits for a socket: with nothing ready it would wait for real."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._manual = clock

    def time(self) -> float:
        """Seconds, as the clock has them."""
        return self._manual.monotonic()


def run_by(clock: ManualClock, body: Coroutine[Any, Any, T]) -> T:
    """Run ``body`` on such a loop."""
    with asyncio.Runner(loop_factory=lambda: ManualLoop(clock)) as runner:
        return runner.run(body)


async def let_pass(clock: ManualClock, seconds: float) -> None:
    """Move the clock on in steps of 20 ms, and let everybody act at each."""
    end = clock.monotonic() + seconds
    await settle()
    while clock.monotonic() < end - 1e-9:
        clock.advance(min(STEP_S, end - clock.monotonic()))
        await settle()


async def settle() -> None:
    """Until whoever can act at this instant has acted."""
    for _ in range(_SETTLE_STEPS):
        await asyncio.sleep(0)
