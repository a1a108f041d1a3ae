from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from voicegw.base.time_limit import TimeLimit


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


async def value(number: int) -> int:
    return number


def test_steps_in_time_share_one_timer() -> None:
    async def story() -> None:
        limit = TimeLimit()
        assert await limit.wait(value(1), 60.0) == 1
        first = limit._alarm
        assert await limit.wait(value(2), 90.0) == 2
        assert limit._alarm is first is not None
        assert await limit.wait(value(3), 30.0) == 3
        assert first.cancelled(), "a nearer deadline needs a nearer alarm"
        nearer = limit._alarm
        limit.close()
        assert nearer is not None and nearer.cancelled()

    play(story())


def test_a_step_that_takes_too_long_is_cancelled() -> None:
    async def story() -> None:
        limit = TimeLimit()
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        assert await limit.wait(value(1), 0.001) == 1
        with pytest.raises(TimeoutError):
            await limit.wait(never, 0.02)
        assert never.cancelled()
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0
        assert await limit.wait(value(2), 60.0) == 2
        limit.close()

    play(story())


def test_time_between_steps_does_not_count() -> None:
    async def story() -> None:
        limit = TimeLimit()
        assert await limit.wait(value(1), 0.0) == 1
        rung = asyncio.Event()
        asyncio.get_running_loop().call_later(0.001, rung.set)
        await rung.wait()
        assert limit._alarm is None, "it rang for nobody"
        assert await limit.wait(value(2), 60.0) == 2
        limit.close()

    play(story())


def test_a_cancellation_from_outside_stays_one() -> None:
    async def story() -> None:
        limit = TimeLimit()
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(limit.wait(never, 60.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        limit.close()

    play(story())


def test_a_cancellation_from_outside_goes_before_the_limit() -> None:
    async def story() -> None:
        limit = TimeLimit()
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(limit.wait(never, 60.0))
        await asyncio.sleep(0)
        task.cancel()
        limit._deadline = 0.0
        limit._ring()
        with pytest.raises(asyncio.CancelledError):
            await task
        limit.close()

    play(story())


def test_a_step_that_ignores_its_cancellation_leaves_none_behind() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return "done anyway"
        return ""

    async def story() -> None:
        limit = TimeLimit()
        assert await limit.wait(stubborn(), 0.001) == "done anyway"
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0
        limit.close()

    play(story())
