"""A time limit for each of many steps of one task, nearly all of which take no time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import TypeVar

ResultT = TypeVar("ResultT")


class TimeLimit:
    """Waits for one step after the other.

    ``asyncio.timeout`` makes a timer for each and throws it away; here one timer stays set, and looks at the
    deadline of the step that is being waited for when it rings.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._deadline = math.inf
        self._task: asyncio.Task[object] | None = None
        self._expired = False

    async def wait(self, step: Awaitable[ResultT], seconds: float) -> ResultT:
        """What ``step`` returns; cancels it and raises TimeoutError once it has taken longer than ``seconds``."""
        task = self._task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        cancelling = task.cancelling()
        self._deadline = self._loop.time() + seconds
        if self._alarm is None or self._alarm.when() > self._deadline:
            self._set_alarm()
        try:
            return await step
        except asyncio.CancelledError:
            if self._was_us(task) and task.cancelling() <= cancelling:
                raise TimeoutError from None
            raise
        finally:
            self._deadline = math.inf
            self._was_us(task)

    def close(self) -> None:
        """Nothing will be waited for any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _was_us(self, task: asyncio.Task[object]) -> bool:
        """Whether this limit cancelled the task; takes that back, once."""
        expired, self._expired = self._expired, False
        if expired:
            task.uncancel()
        return expired

    def _set_alarm(self) -> None:
        self.close()
        self._alarm = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._deadline > self._loop.time():
            if self._deadline < math.inf:
                self._set_alarm()
        elif self._task is not None:
            self._expired = True
            self._task.cancel()
