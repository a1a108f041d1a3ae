"""How an MCP server is reached, and how to notice that it is gone while nobody calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Protocol

import httpx2
from mcp import StdioServerParameters, stdio_client
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from voicegw.agents.tools.config import McpToolConfig
from voicegw.agents.tools.secrets import auth_headers, env_text

Message = SessionMessage | Exception
_CONNECT_TIMEOUT_S = 5.0


class _Source(Protocol):
    """What a transport of the client package reads from."""

    async def receive(self) -> Message: ...
    async def aclose(self) -> None: ...
    async def __anext__(self) -> Message: ...


class WatchedStream:
    """A read stream that says when there is no more: the server has closed its output or died."""

    def __init__(self, source: _Source, ended: Callable[[], None]) -> None:
        self._source = source
        self._ended = ended

    @property
    def last_context(self) -> object:
        """Of the message before; the client package asks for it where a transport has it."""
        return getattr(self._source, "last_context", None)

    async def receive(self) -> Message:
        """The next message."""
        return await self._source.receive()

    async def aclose(self) -> None:
        """Read no more."""
        await self._source.aclose()

    def __aiter__(self) -> WatchedStream:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self._source.__anext__()
        except StopAsyncIteration:
            self._ended()
            raise

    async def __aenter__(self) -> WatchedStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._source.aclose()


@asynccontextmanager
async def watched(transport: Transport, ended: Callable[[], None]) -> AsyncIterator[tuple[WatchedStream, Any]]:
    """``transport``, with a word when the server's side of it ends."""
    async with transport as (read, write):
        yield WatchedStream(read, ended), write


def make_transport(config: McpToolConfig, environment: Mapping[str, str]) -> Transport:
    """A fresh connection; raises ConfigError where a secret is missing. Good for one use."""
    if config.command:
        env = {name: env_text(text, environment) for name, text in config.env.items()}
        program, *arguments = config.command
        return stdio_client(StdioServerParameters(command=program, args=arguments, env=env))
    return _http(config, {header.name: header.value for header in auth_headers(config.auth, environment)})


@asynccontextmanager
async def _http(config: McpToolConfig, headers: Mapping[str, str]) -> AsyncIterator[Any]:
    # No limit on reading: a server may hold its stream open for hours; calls have their own.
    timeout = httpx2.Timeout(_CONNECT_TIMEOUT_S, read=None)
    async with (
        httpx2.AsyncClient(headers=dict(headers), timeout=timeout) as client,
        streamable_http_client(config.url, http_client=client) as streams,
    ):
        yield streams
