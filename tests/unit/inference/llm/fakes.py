"""Time that a test moves, and providers that follow a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from voicegw.ports.llm import LlmCapabilities, LlmEvent, LlmPrice, LlmRequest
from voicegw.testing.manual_clock import ManualClock

_SETTLE_STEPS = 30


class Time:
    """A manual clock with a ``sleep`` that ends when the clock gets there."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        ends: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.clock.monotonic() + seconds, ends))
        await ends

    async def advance(self, seconds: float) -> None:
        """Move on, waking each sleeper at its own moment."""
        until = self.clock.monotonic() + seconds
        await self._settle()
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= until]:
            sleeper = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(sleeper)
            if not sleeper[1].done():
                self.clock.advance_to(max(sleeper[0], self.clock.monotonic()))
                sleeper[1].set_result(None)
            await self._settle()
        self.clock.advance_to(until)

    async def _settle(self) -> None:
        for _ in range(_SETTLE_STEPS):
            await asyncio.sleep(0)


Step = float | LlmEvent | Exception


class FakeModel:
    """Plays one list of steps an answer: a number is a pause in seconds, an event is yielded, an error raised.

    The last list serves all answers that follow. ``log`` tells what happened to each.
    """

    def __init__(self, name: str, time: Time, *answers: list[Step], price: LlmPrice | None = None) -> None:
        self.name = name
        self.capabilities = LlmCapabilities(price=price or LlmPrice())
        self.requests: list[LlmRequest] = []
        self.log: list[str] = []
        self._time = time
        self._answers = list(answers)

    async def start(self) -> None:
        self.log.append("start")

    async def close(self) -> None:
        self.log.append("close")

    async def warm_up(self, request: LlmRequest) -> float:
        begin = self._time.clock.monotonic()
        async for _ in self.stream(request):
            pass
        return self._time.clock.monotonic() - begin

    async def stream(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        self.requests.append(request)
        self.log.append("asked")
        steps = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        outcome = "cancelled"
        try:
            for step in steps:
                if isinstance(step, float):
                    await self._time.sleep(step)
                elif isinstance(step, Exception):
                    outcome = "failed"
                    raise step
                else:
                    yield step
            outcome = "ended"
        finally:
            self.log.append(outcome)
