"""Background tasks that break."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.gateway.nodes import run
from voicegw.gateway.child_task import child_task


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
