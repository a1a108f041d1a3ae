"""The web client against a server of ours that behaves badly on request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from voicegw.base.errors import ProviderError
from voicegw.runtime.http_client import HttpxClient

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def _ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _answer(reader, writer, b'{"status": "shipped"}')


async def _long(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _answer(reader, writer, b"x" * 2000)


async def _never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x00\x01 not http\r\n\r\n")
    await writer.drain()


def ask(handler: Handler, timeout_s: float = 2.0) -> tuple[int, str]:
    async def run() -> tuple[int, str]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await handler(reader, writer)
            writer.close()
            await writer.wait_closed()
            closed.set()

        closed = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = HttpxClient(max_body_bytes=1000)
        try:
            response = await client.request(
                "GET", f"http://127.0.0.1:{port}/x", headers={}, json_body=None, timeout_s=timeout_s
            )
            return response.status, response.body
        finally:
            await client.close()
            await closed.wait()
            server.close()
            await server.wait_closed()

    return asyncio.run(run())


def test_an_answer() -> None:
    assert ask(_ok) == (200, '{"status": "shipped"}')


@pytest.mark.parametrize("charset", ["hex", "idna", "undefined", "utf-7", "nobody-knows-it"])
def test_an_encoding_that_is_none_of_texts(charset: str) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset={charset}\r\nContent-Length: 9\r\n\r\n"
        writer.write(head.encode() + b"ok +2AA- ")
        await writer.drain()

    status, text = ask(odd)
    assert status == 200 and text.encode().startswith(b"ok ")


@pytest.mark.parametrize("handler", [_long, _garbage])
def test_what_cannot_be_used_is_a_provider_error(handler: Handler) -> None:
    with pytest.raises(ProviderError):
        ask(handler)


def test_no_answer_in_time() -> None:
    with pytest.raises(ProviderError, match="within"):
        ask(_never, timeout_s=0.2)


def test_nobody_there_and_no_address_at_all() -> None:
    async def run(url: str) -> None:
        client = HttpxClient()
        try:
            await client.request("GET", url, headers={}, json_body=None, timeout_s=2.0)
        finally:
            await client.close()

    for url in ("http://127.0.0.1:1/", "not a url", "http://xn--a/", "http://h/\ud800"):
        with pytest.raises(ProviderError):
            asyncio.run(run(url))
