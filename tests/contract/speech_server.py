"""A small server of ours with the two speech endpoints, which answers as it is told and can be taken down."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server does with a request."""

    status: int = 200
    body: bytes = b""
    pieces: tuple[bytes, ...] = ()
    """Sent one by one as chunks; ``body`` is ignored."""
    then: str = "end"
    """After the pieces: ``end``, ``stall`` or ``die``."""
    silent: bool = False
    """Not even a status line."""


@dataclass(slots=True)
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """The client hung up before the answer was complete."""

    def json(self) -> dict[str, object]:
        said: dict[str, object] = json.loads(self.body)
        return said


class SpeechServer:
    """Listens on loopback; every request gets ``answer``."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self._server: asyncio.Server | None = None
        self.asked = asyncio.Event()
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def kill(self) -> None:
        """Cut every connection, as a machine that loses power."""
        for writer in self._open:
            writer.transport.abort()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.kill()
        await asyncio.gather(*self._open.values())
        await self._server.wait_closed()

    def will(self, **changes: object) -> None:
        self.answer = replace(self.answer, **changes)  # type: ignore[arg-type]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.get_running_loop().create_task(self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    request = await _read(reader)
                    self.requests.append(request)
                    self.asked.set()
                    if not await self._reply(request, reader, writer):
                        return
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self._open.pop(writer)

    async def _reply(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        answer = self.answer
        if answer.silent:
            await self._until_gone(request, reader)
            return False
        head = f"HTTP/1.1 {answer.status} Status\r\nContent-Type: application/octet-stream\r\n"
        if not answer.pieces:
            writer.write(f"{head}Content-Length: {len(answer.body)}\r\n\r\n".encode() + answer.body)
            await writer.drain()
            return True
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for piece in answer.pieces:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        if answer.then == "die":
            return False
        if answer.then == "stall":
            await self._until_gone(request, reader)
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _until_gone(self, request: Request, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        request.gone.set()


async def _read(reader: asyncio.StreamReader) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split()[1], headers, body)
