from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from voicegw.runtime.mailbox import Mailbox


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


def alarms() -> list[asyncio.TimerHandle]:
    """What the running loop has been asked to do later, the time limit of the test aside."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [handle for handle in scheduled if not handle.cancelled() and "Mailbox" in repr(handle)]


def test_mail_comes_out_in_order() -> None:
    box: Mailbox[int] = Mailbox()
    box.put_nowait(1)
    box.put_nowait(2)
    assert [box.get_nowait(), box.get_nowait()] == [1, 2]
    assert box.empty()
    with pytest.raises(IndexError):
        box.get_nowait()


def test_a_wait_ends_with_mail_and_does_not_begin_when_there_is_some() -> None:
    async def story() -> None:
        box: Mailbox[int] = Mailbox()
        waiting = asyncio.ensure_future(box.wait(None))
        await asyncio.sleep(0)
        assert not waiting.done()
        box.put_nowait(1)
        box.put_nowait(2)
        await waiting
        await box.wait(None)
        assert box.get_nowait() == 1

    play(story())


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.001])
def test_a_wait_ends_in_time(seconds: float) -> None:
    async def story() -> None:
        box: Mailbox[int] = Mailbox()
        await box.wait(seconds)
        assert box.empty()
        assert not alarms()

    play(story())


def test_a_deadline_that_moves_back_keeps_the_alarm_and_one_that_comes_nearer_does_not() -> None:
    async def story() -> None:
        box: Mailbox[int] = Mailbox()

        async def wait(seconds: float | None) -> list[asyncio.TimerHandle]:
            waiting = asyncio.ensure_future(box.wait(seconds))
            await asyncio.sleep(0)
            found = alarms()
            box.put_nowait(0)
            await waiting
            box.get_nowait()
            return found

        (first,) = await wait(100.0)
        assert await wait(200.0) == [first]
        assert await wait(None) == [first]
        (nearer,) = await wait(50.0)
        assert nearer.when() < first.when()
        box.close()
        assert not alarms()

    play(story())


def test_a_wait_may_be_cancelled() -> None:
    async def story() -> None:
        box: Mailbox[int] = Mailbox()
        waiting = asyncio.ensure_future(box.wait(None))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        box.put_nowait(1)
        await box.wait(None)
        assert box.get_nowait() == 1

    play(story())
