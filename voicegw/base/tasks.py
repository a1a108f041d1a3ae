"""Tasks that run for as long as the node does: one that breaks says so at once, and not when it is collected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

log = logging.getLogger(__name__)

AGAIN_S: Final = 0.5


def _nothing() -> None:
    """Is owed to nobody."""


def child_task(
    work: Coroutine[Any, Any, None], name: str, on_failure: Callable[[], None] = _nothing
) -> asyncio.Task[None]:
    """Run ``work`` in the background. An error in it is ours: it is logged with its trace, and ``on_failure`` does
    what is owed to whoever waits for it."""

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a task broke", extra={"task": name}, exc_info=error)
            on_failure()

    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(ended)
    return task


def kept_task(
    work: Callable[[], Coroutine[Any, Any, None]],
    name: str,
    again_s: float = AGAIN_S,
    on_failure: Callable[[], None] = _nothing,
) -> asyncio.Task[None]:
    """The same for work that nobody could do without: where it breaks it begins anew, until it ends by itself."""
    return child_task(_kept(work, name, again_s, on_failure), name)


async def _kept(
    work: Callable[[], Coroutine[Any, Any, None]], name: str, again_s: float, on_failure: Callable[[], None]
) -> None:
    while True:
        try:
            return await work()
        except Exception:  # one of the three boundaries of DESIGN §6
            log.exception("a task broke", extra={"task": name, "again_in_s": again_s})
            on_failure()
        await asyncio.sleep(again_s)
