"""Child tasks: failures are reported, and a task that never began leaves no complaint behind."""

from __future__ import annotations

import asyncio
import gc

from voicegw.runtime.tasks import ChildTasks


def test_a_failure_is_reported() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async def run() -> list[str]:
        reasons: list[str] = []
        tasks = ChildTasks()
        await asyncio.wait([tasks.spawn("child", fail(), reasons.append)])
        return reasons

    assert asyncio.run(run()) == ["ValueError: broken"]


def test_a_task_cancelled_before_its_first_step_is_closed() -> None:
    """Warnings are errors here: "coroutine … was never awaited" would fail this test."""
    begun: list[bool] = []

    async def work() -> None:
        begun.append(True)

    async def run() -> None:
        tasks = ChildTasks()
        tasks.spawn("child", work(), lambda _reason: None)
        await tasks.close()

    asyncio.run(run())
    gc.collect()
    assert begun == []
