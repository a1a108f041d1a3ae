"""The gateway's side of a media worker, without a worker."""

from __future__ import annotations

import asyncio

import pytest

from voicegw.base.ids import CallId, LegId
from voicegw.media import messages as m
from voicegw.media.client import MediaClient

LEG = LegId("leg")


def test_a_leg_that_opens_in_the_moment_of_giving_up_is_told_of_so_that_it_is_closed() -> None:
    """Under load the end of the patience and the answer come in the same turn of the loop; kept, the leg would hold
    its ports until the worker ends."""
    told: list[m.Event] = []

    async def scenario() -> None:
        client = MediaClient(["true"], told.append, lambda _reason: None)
        client._ready.set()
        client._worker = _Nobody()  # type: ignore[assignment]
        opening = asyncio.create_task(client.open_leg(LEG, CallId("call"), "127.0.0.1"))
        await asyncio.sleep(0)
        client._opening[LEG].cancel()
        client._take(m.LegOpened(LEG, 4000))
        await asyncio.wait({opening})

    asyncio.run(scenario())
    assert told == [m.LegOpened(LEG, 4000)]


class _Nobody:
    def write(self, data: bytes) -> None:
        """To nobody."""


def test_who_is_cancelled_in_the_moment_of_the_answer_does_not_go_on() -> None:
    """Python 3.11's wait_for would, with a port that nobody closes."""

    async def story() -> None:
        client = MediaClient(["worker"], lambda _event: None, lambda _reason: None)
        client._ready.set()
        client._worker = _Nobody()  # type: ignore[assignment]
        opening = asyncio.create_task(client.open_leg(LegId("leg"), CallId("call"), "127.0.0.1"))
        await asyncio.sleep(0)
        client._take(m.LegOpened(LegId("leg"), 40000))
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert not client._opening

    asyncio.run(story())
