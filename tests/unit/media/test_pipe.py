from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from voicegw.media.pipe import Pipe


def play(story: Callable[[socket.socket, Pipe], Coroutine[Any, Any, None]]) -> None:
    """A pipe and the other end of its socket, which does not block."""

    async def run() -> None:
        ours, theirs = socket.socketpair()
        pipe = Pipe(ours)
        with theirs:
            theirs.setblocking(False)
            try:
                await asyncio.wait_for(story(theirs, pipe), 10)
            finally:
                pipe.close()

    asyncio.run(run())


def what_came(sock: socket.socket) -> bytes:
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return b""


async def receive(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await asyncio.get_running_loop().sock_recv(sock, 1 << 20)
    return data


def test_what_is_written_in_one_turn_of_the_loop_leaves_at_its_end() -> None:
    async def story(theirs: socket.socket, pipe: Pipe) -> None:
        pipe.write(b"one ")
        pipe.write(b"two")
        assert what_came(theirs) == b""
        await asyncio.sleep(0)
        assert what_came(theirs) == b"one two"
        pipe.write(b"three")
        await asyncio.sleep(0)
        assert what_came(theirs) == b"three"

    play(story)


def test_what_the_socket_does_not_take_follows_in_order() -> None:
    async def story(theirs: socket.socket, pipe: Pipe) -> None:
        first, second = bytes(3_000_000), b"\1" * 1_000_000
        pipe.write(first)
        await asyncio.sleep(0)
        pipe.write(second)
        assert await receive(theirs, 4_000_000) == first + second
        pipe.write(b"after it")
        assert await receive(theirs, 8) == b"after it"

    play(story)


def test_closing_sends_what_was_written_and_nothing_later() -> None:
    async def story(theirs: socket.socket, pipe: Pipe) -> None:
        pipe.write(b"last words")
        pipe.close()
        pipe.write(b"too late")
        await asyncio.sleep(0)
        assert what_came(theirs) == b"last words"
        assert theirs.recv(1) == b""
        pipe.close()

    play(story)


def test_data_is_handed_out_and_the_end_once() -> None:
    async def story(theirs: socket.socket, pipe: Pipe) -> None:
        heard: list[bytes] = []
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        pipe.listen(heard.append, ended.set_result)
        theirs.send(b"hello")
        theirs.shutdown(socket.SHUT_WR)
        assert await ended == "the process ended"
        assert heard == [b"hello"]
        await asyncio.sleep(0)

    play(story)


def test_writing_to_nobody_does_no_harm() -> None:
    async def story(theirs: socket.socket, pipe: Pipe) -> None:
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        pipe.listen(lambda data: None, ended.set_result)
        theirs.close()
        pipe.write(b"is there anybody")
        await asyncio.sleep(0)
        pipe.write(b"no")
        await asyncio.sleep(0)
        assert await ended

    play(story)


def test_a_reset_is_an_end_with_its_reason() -> None:
    async def story(theirs: socket.socket, pipe: Pipe) -> None:
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        pipe.listen(lambda data: None, ended.set_result)
        pipe.write(b"never read")
        await asyncio.sleep(0)
        theirs.close()  # with data unread, a UNIX stream socket is reset
        assert await ended == "its socket failed: [Errno 104] Connection reset by peer"

    play(story)
