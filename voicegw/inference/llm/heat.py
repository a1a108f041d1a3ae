"""Carries out a race: asks, listens to all who were asked, cancels, and cleans up behind it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from voicegw.base.clock import Clock
from voicegw.base.errors import ProviderError
from voicegw.inference.llm.attempt import Attempt
from voicegw.inference.llm.race import Cancel, Race, RaceCommand, Start
from voicegw.ports.llm import LlmEvent

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]


class Heat:
    """One race for one answer. Leaving the context ends every attempt, the winner's too."""

    def __init__(self, race: Race, ask: Callable[[int], Attempt], clock: Clock, sleep: Sleep) -> None:
        self._race = race
        self._ask = ask
        self._clock = clock
        self._sleep = sleep
        self._attempts: dict[int, Attempt] = {}
        self._listening: dict[int, asyncio.Task[list[LlmEvent]]] = {}
        self._closing: list[asyncio.Task[None]] = []
        self._error = ProviderError("llm", "no model can be asked now", retryable=True)
        self._reasons: dict[str, str] = {}

    async def run(self) -> tuple[Attempt, list[LlmEvent]]:
        """Who spoke first, and what; raises ProviderError (the last failure) when nobody does in time."""
        self._carry_out(self._race.begin(self._clock.monotonic()))
        while not self._race.over:
            await self._something_happens()
        if self._race.winner is None:
            raise self._error
        return self._attempts[self._race.winner], self._listening.pop(self._race.winner).result()

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why those who were asked and did not win did not, by name."""
        late = {attempt.name: f"{attempt.name}: late" for attempt in self._attempts.values()}
        return late | self._reasons

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for runner in list(self._listening):
            self._retire(runner, late=False)
        await asyncio.gather(*self._closing)
        for attempt in self._attempts.values():
            await attempt.close()

    async def _something_happens(self) -> None:
        wait_s = max(0.0, self._race.deadline() - self._clock.monotonic())
        timer = asyncio.ensure_future(self._sleep(wait_s))
        try:
            await asyncio.wait({timer, *self._listening.values()}, return_when=asyncio.FIRST_COMPLETED)
            for runner, task in sorted(self._listening.items()):
                if task.done() and not self._race.over:
                    self._heard(runner)
            if timer.done() and not self._race.over:
                self._time_passed()
        finally:
            timer.cancel()

    def _heard(self, runner: int) -> None:
        now = self._clock.monotonic()
        error = self._listening[runner].exception()
        if error is None:
            self._carry_out(self._race.spoke(runner, now))
        elif isinstance(error, ProviderError):
            log.warning("language model failed: %s", error)
            self._error = error
            self._reasons[self._attempts[runner].name] = str(error)
            self._retire(runner, late=False)
            self._carry_out(self._race.failed(runner, now))
        else:
            raise error

    def _time_passed(self) -> None:
        commands = self._race.tick(self._clock.monotonic())
        if self._race.over:
            self._error = ProviderError("llm", "no model said a word in time", retryable=True)
        self._carry_out(commands)

    def _carry_out(self, commands: list[RaceCommand]) -> None:
        for command in commands:
            match command:
                case Start(runner):
                    attempt = self._attempts[runner] = self._ask(runner)
                    self._listening[runner] = asyncio.create_task(attempt.first_words(), name=f"llm {attempt.name}")
                case Cancel(runner, late):
                    self._retire(runner, late=late)

    def _retire(self, runner: int, *, late: bool) -> None:
        """Nothing waits for this: the winner's first word must not stand behind the loser's last."""
        task = self._listening.pop(runner)
        task.cancel()
        self._closing.append(asyncio.create_task(_end(task, self._attempts[runner], late)))


async def _end(task: asyncio.Task[list[LlmEvent]], attempt: Attempt, late: bool) -> None:
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # told already, or too late to matter; looking at it keeps asyncio from complaining
    await attempt.close(late=late)
