"""Child tasks of a call, and the boundary that keeps their failures from passing unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

log = logging.getLogger(__name__)


class ChildTasks:
    """The background work of one call. A child that fails is logged and reported; it never vanishes silently."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(
        self, name: str, work: Coroutine[None, None, None], on_failure: Callable[[str], None]
    ) -> asyncio.Task[None]:
        """Run ``work``; if it raises, ``on_failure`` gets the reason."""
        task = asyncio.create_task(_guarded(name, work, on_failure), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step never touches ``work``, which Python would complain about.
        task.add_done_callback(lambda _task: work.close())
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait until it is gone."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _guarded(name: str, work: Coroutine[None, None, None], on_failure: Callable[[str], None]) -> None:
    try:
        await work
    except Exception as error:  # one of the three boundaries of DESIGN §6
        log.exception("child task failed", extra={"task": name})
        on_failure(f"{type(error).__name__}: {error}")
