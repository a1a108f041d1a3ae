"""Background tasks that break."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.gateway.nodes import run
from voicegw.base.tasks import child_task, kept_task


def test_an_error_is_logged_with_the_name_of_its_task(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise ZeroDivisionError("ours")

    async def endless() -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        task, other = child_task(broken(), "the broken one"), child_task(endless(), "the other one")
        await asyncio.wait((task,))
        other.cancel()
        await asyncio.wait((other,))

    run(scenario())
    (record,) = caplog.records
    assert (record.message, getattr(record, "task", "")) == ("a task broke", "the broken one")
    assert record.exc_info is not None and record.exc_info[0] is ZeroDivisionError


def test_what_is_kept_begins_anew_and_may_end(caplog: pytest.LogCaptureFixture) -> None:
    begun: list[int] = []

    async def work() -> None:
        begun.append(len(begun))
        if len(begun) < 3:
            raise ZeroDivisionError("ours")

    async def scenario() -> None:
        await kept_task(work, "the kept one", again_s=0.0)

    run(scenario())
    assert begun == [0, 1, 2]
    assert [getattr(record, "task", "") for record in caplog.records] == ["the kept one"] * 2
