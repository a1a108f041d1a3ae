"""Tasks of a node that run for as long as it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

log = logging.getLogger(__name__)
_AGAIN_S: Final = 0.5


class Tasks:
    """An error in one is ours: it is logged with its trace, and the others go on."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run it in the background."""
        task = asyncio.get_running_loop().create_task(work, name=f"cluster: {name}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run it in the background for ever: without it a node would be cut off and not know. What breaks begins
        anew."""
        self.begin(self._kept(work, name), name)

    async def _kept(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        while True:
            try:
                await work()
            except Exception:  # one of the three boundaries of DESIGN §6
                log.exception("a task broke", extra={"task": f"cluster: {name}"})
            await asyncio.sleep(_AGAIN_S)

    async def close(self) -> None:
        """Cancel all of them, and wait until they have ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a task broke", extra={"task": task.get_name()}, exc_info=error)
