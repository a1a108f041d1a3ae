"""What a client library swallows does not hold up a node that stops, nor an old primary one that runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from voicegw.base.ids import CallId
from voicegw.cluster.redis import RedisShared
from voicegw.ports.cluster import Owner, SharedCall


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
    """Notes how many messages are to be kept, and for how long."""

    def __init__(self, kept: list[int], seconds: list[int]) -> None:
        self._kept = kept
        self._seconds = seconds

    def xadd(self, _stream: str, _fields: object, *, maxlen: int, approximate: bool = False) -> None:
        self._kept.append(maxlen)

    def expire(self, stream: str, seconds: int) -> None:
        assert stream == "x:sent:b@1"
        self._seconds.append(seconds)

    async def execute(self) -> None: ...


def test_as_many_messages_are_kept_as_is_wished_when_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []

    async def scenario() -> None:
        shared = RedisShared("redis://127.0.0.1:1/0", "x", kept=200)
        monkeypatch.setattr(shared._redis, "pipeline", lambda transaction: Pipe(kept, []))
        await shared.tell([b"one"])
        shared.keep(150)
        await shared.tell([b"two"])
        await shared.close()

    asyncio.run(scenario())
    assert kept == [200, 150]


def test_what_is_sent_to_a_node_that_is_gone_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds: list[int] = []

    async def scenario() -> None:
        shared = RedisShared("redis://127.0.0.1:1/0", "x")
        monkeypatch.setattr(shared._redis, "pipeline", lambda transaction: Pipe([], seconds))
        await shared.send(Owner("b", "1"), b"one")
        await shared.close()

    asyncio.run(scenario())
    assert seconds and seconds[0] >= 60, "longer than anybody waits for an answer"


class Primary:
    """Speaks as Redis does to whoever writes. One that became a replica says so for ever on its old connections;
    who comes anew is led to the new primary, by a proxy or a name."""

    def __init__(self, refusal: bytes) -> None:
        self._refusal = refusal
        self._primary = 0
        self._serving: set[asyncio.Task[None] | None] = set()

    async def ended(self) -> None:
        """All who were connected are gone."""
        await asyncio.gather(*filter(None, self._serving))

    def moves(self) -> None:
        self._primary += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = self._primary
        self._serving.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                words = []
                for _ in range(int((await reader.readuntil(b"\r\n"))[1:])):
                    size = int((await reader.readuntil(b"\r\n"))[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                is_write = words[0].upper() == b"HSET"
                answer = b"+OK\r\n" if not is_write else b":1\r\n" if own == self._primary else self._refusal
                writer.write(answer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "refusal",
    [
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-ERR Error running script: @user_script:2: -READONLY You can't write against a read only replica.\r\n",
    ],
)
def test_a_primary_that_becomes_a_replica_is_left_for_the_new_one(refusal: bytes) -> None:
    async def scenario() -> None:
        primary = Primary(refusal)
        server = await asyncio.start_server(primary.serve, "127.0.0.1")
        shared = RedisShared(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", "x")
        owner, calls = Owner("a", "1"), [SharedCall(CallId("c1"))]
        await asyncio.gather(*(shared.put_calls(owner, calls) for _ in range(3)))
        primary.moves()
        await asyncio.gather(*(shared.put_calls(owner, calls) for _ in range(3)))
        await shared.close()
        await primary.ended()
        server.close()
        await server.wait_closed()

    asyncio.run(scenario())
