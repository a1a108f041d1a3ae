"""Tasks that run for as long as the node does: one that breaks says so at once, and not when it is collected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


def child_task(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Run ``work`` in the background. An error in it is ours: it is logged with its trace."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(_tell_of_error)
    return task


def _tell_of_error(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("a task broke", extra={"task": task.get_name()}, exc_info=error)
