"""What waits for one task, in order of arrival, and the alarm that wakes it when nothing comes."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Generic, TypeVar

MailT = TypeVar("MailT")


class Mailbox(Generic[MailT]):
    """Anybody on the event loop puts mail in; one task takes it out.

    A call is woken by every piece of mail and nearly always has a deadline. A time limit around each wait would be
    made and thrown away each time, so the alarm stays set as long as the deadline only moves back: then it rings
    too early, once, and whoever waits looks at the clock anyway.
    """

    def __init__(self) -> None:
        self._mail: deque[MailT] = deque()
        self._sleeper: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._mail

    def put_nowait(self, mail: MailT) -> None:
        """Add something, after all that waits."""
        self._mail.append(mail)
        self._wake()

    def get_nowait(self) -> MailT:
        """The oldest; raises IndexError if nothing waits."""
        return self._mail.popleft()

    async def wait(self, seconds: float | None) -> None:
        """Until something waits, or about ``seconds`` have passed; may come back before either."""
        if self._mail:
            return
        loop = asyncio.get_running_loop()
        self._set_alarm(loop, math.inf if seconds is None else loop.time() + seconds)
        self._sleeper = loop.create_future()
        try:
            await self._sleeper
        finally:
            self._sleeper = None

    def close(self) -> None:
        """Nobody will wait any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._alarm is not None and self._alarm.when() > at:
            self.close()
        if self._alarm is None and at < math.inf:
            self._alarm = loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._wake()

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)
