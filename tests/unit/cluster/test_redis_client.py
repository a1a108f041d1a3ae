"""What a client library does with cancellations does not hold up a node that stops."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from voicegw.cluster.redis import RedisShared


def test_a_cancellation_that_the_client_swallows_ends_the_question_all_the_same() -> None:
    async def scenario() -> None:
        shared, swallowed = RedisShared("redis://127.0.0.1:1/0", "x"), asyncio.Event()

        async def stubborn() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            swallowed.set()
            await asyncio.Event().wait()

        asking = asyncio.create_task(shared._asked(stubborn()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait((asking,))
        assert asking.cancelled()
        await swallowed.wait()
        await shared.close()
        assert not shared._asking

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


class Pipe:
    """Notes how many messages are to be kept."""

    def __init__(self, kept: list[int]) -> None:
        self._kept = kept

    def xadd(self, _stream: str, _fields: object, *, maxlen: int, approximate: bool) -> None:
        self._kept.append(maxlen)

    async def execute(self) -> None: ...


def test_as_many_messages_are_kept_as_is_wished_when_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []

    async def scenario() -> None:
        shared = RedisShared("redis://127.0.0.1:1/0", "x", kept=200)
        monkeypatch.setattr(shared._redis, "pipeline", lambda transaction: Pipe(kept))
        await shared.tell([b"one"])
        shared.keep(150)
        await shared.tell([b"two"])
        await shared.close()

    asyncio.run(scenario())
    assert kept == [200, 150]
