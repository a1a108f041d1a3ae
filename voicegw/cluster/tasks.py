"""Tasks of a node that run for as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from voicegw.base.tasks import AGAIN_S, child_task, kept_task


class Tasks:
    """An error in one is ours: it is logged with its trace, and the others go on."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run it in the background."""
        return self._hold(child_task(work, f"cluster: {name}"))

    def keep(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run it in the background for ever: without it a node would be cut off and not know. What breaks begins
        anew, and so does what ends."""

        async def for_ever() -> None:
            while True:
                await work()
                await asyncio.sleep(AGAIN_S)

        self._hold(kept_task(for_ever, f"cluster: {name}"))

    async def close(self) -> None:
        """Cancel all of them, and wait until they have ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _hold(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task
