"""One MCP server kept alive: started, asked for its tools, called, and started again when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import cast

from mcp import Client, MCPError
from mcp.client import IncomingMessage
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.types import CONNECTION_CLOSED, INVALID_REQUEST, RequestParamsMeta, ToolListChangedNotification
from mcp.types import Tool as McpToolInfo
from pydantic import ValidationError

from voicegw.agents.tools.config import McpToolConfig
from voicegw.agents.tools.tool import Tool
from voicegw.base.clock import Clock
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.base.personal import Personal
from voicegw.base.tasks import kept_task
from voicegw.inference.mcp.answer import from_error, from_result
from voicegw.inference.mcp.catalogue import make_tools, same_tools
from voicegw.inference.mcp.transport import make_transport, watched
from voicegw.ports.tools import ToolRequest, ToolResult

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0
"""Between starts; doubled from the first to this while a server does not come up."""
LISTEN_PAUSE_S = 5.0
"""Before listening for changes again after the stream of them ended."""
MAX_PAGES = 50
KEY_FIELD = "voicegw/idempotency-key"
"""In ``_meta`` of each call, for servers that care; named as MCP wants such fields named."""

Sleep = Callable[[float], Awaitable[None]]


class McpServer:
    """All tools of one server, for all calls. ``tools`` are the last that it listed, also while it is down."""

    def __init__(
        self,
        config: McpToolConfig,
        environment: Mapping[str, str],
        clock: Clock,
        counters: Counters,
        *,
        on_change: Callable[[], None] = lambda: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.name = config.name
        self.tools: tuple[Tool, ...] = ()
        self.version = 0
        self._config = config
        self._environment = environment
        self._clock = clock
        self._counters = counters
        self._on_change = on_change
        self._sleep = sleep
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._wake = asyncio.Event()
        self._lost = False
        self._reason = "it has not been started"
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Wait for the first list of tools; raises ProviderError if none comes in time.

        Then it is still tried again until :meth:`close`. Raises ConfigError where a secret is missing.
        """
        make_transport(self._config, self._environment)
        self._keeper = kept_task(self._keep, f"mcp {self.name}")
        try:
            async with asyncio.timeout(self._config.start_timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise ProviderError(f"mcp server {self.name}", self._reason, retryable=True) from None

    async def close(self) -> None:
        """Stop the server."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
            self._keeper = None

    async def wait_up(self) -> None:
        """Return when the server is up: at once, or after it was started again."""
        await self._up.wait()

    async def call(self, tool: str, request: ToolRequest) -> ToolResult:
        """Run one tool by the server's own name of it; see :class:`~voicegw.ports.tools.ToolRunner`."""
        client = self._client
        if client is None:
            return ToolResult.failed(f"not sent: the server of the tool is not running ({self._reason})")
        arguments = json.loads(request.call.arguments_json)
        try:
            answer = await client.call_tool(tool, arguments, request.timeout_s, meta=_meta(request))
        except MCPError as error:
            if self._is_loss(error):
                self._report_lost()
            return from_error(error.code, error.message, request.timeout_s)
        except (RuntimeError, ValidationError):
            return ToolResult.unknown("the answer of the tool cannot be read")
        return from_result(answer)

    async def _keep(self) -> None:
        """Connect, and again with growing pauses; a connection that lasted makes the next pause short again."""
        pause_s = FIRST_PAUSE_S
        while True:
            started = self._clock.monotonic()
            connection = asyncio.create_task(self._connect(), name=f"mcp connection {self.name}")
            try:
                await asyncio.wait({connection})
            finally:
                connection.cancel()
                self._client = None
                self._up.clear()
                await asyncio.wait({connection})
                self._reason = _why(connection)
            self._counters.add("mcp_connections_lost")
            log.warning("an MCP server is gone", extra={"server": self.name, "reason": Personal(self._reason)})
            if self._clock.monotonic() - started > MAX_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            await self._sleep(pause_s)
            pause_s = min(pause_s * 2, MAX_PAUSE_S)

    async def _connect(self) -> None:
        """One connection, until it is lost."""
        self._lost = False
        self._wake.clear()
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._config.start_timeout_s):
                transport = watched(make_transport(self._config, self._environment), self._report_lost)
                client = Client(
                    transport,
                    read_timeout_seconds=self._config.timeout_s,
                    message_handler=self._receive,
                    cache=None,
                )
                await stack.enter_async_context(client)
                self._publish(await _list(client))
            watcher = asyncio.create_task(self._watch(client), name=f"mcp changes {self.name}")
            stack.push_async_callback(_stop, watcher)
            self._client = client
            self._up.set()
            log.info("an MCP server is up", extra={"server": self.name, "tools": len(self.tools)})
            while not self._lost:
                await self._wake.wait()
                self._wake.clear()
                if not self._lost:
                    await self._list_again(client)

    async def _list_again(self, client: Client) -> None:
        """A server that cannot tell its tools now may still be running some: the last list holds."""
        try:
            self._publish(await _list(client))
        except MCPError as error:
            if self._is_loss(error):
                self._report_lost()
            log.warning(
                "an MCP server did not tell its tools",
                extra={"server": self.name, "reason": Personal(error.message)},
            )

    async def _watch(self, client: Client) -> None:
        """Servers of the protocol of 2026-07-28 tell of changes only those who listen."""
        while True:
            try:
                async with client.listen(tools_list_changed=True) as events:
                    self._wake.set()  # nothing is replayed: what changed before must be asked for
                    async for _event in events:
                        self._wake.set()
            except SubscriptionLost:
                pass  # some proxies cut streams that are silent
            except (ListenNotSupportedError, MCPError, TimeoutError):
                return
            await self._sleep(LISTEN_PAUSE_S)

    async def _receive(self, message: IncomingMessage) -> None:
        """Servers of older protocols tell unasked."""
        if isinstance(message, ToolListChangedNotification):
            self._wake.set()

    def _report_lost(self) -> None:
        self._lost = True
        self._client = None
        self._reason = "it closed the connection"
        self._up.clear()
        self._wake.set()

    def _is_loss(self, error: MCPError) -> bool:
        """Over HTTP a server that was started anew answers that it does not know the session."""
        return error.code == CONNECTION_CLOSED or (error.code == INVALID_REQUEST and bool(self._config.url))

    def _publish(self, listed: list[McpToolInfo]) -> None:
        tools = make_tools(self._config, listed, lambda name: McpToolRunner(self, name))
        if not same_tools(self.tools, tools):
            self.tools = tools
            self.version += 1
            self._on_change()


class McpToolRunner:
    """A :class:`~voicegw.ports.tools.ToolRunner` for one tool of a server."""

    def __init__(self, server: McpServer, tool: str) -> None:
        self._server = server
        self._tool = tool

    async def run(self, request: ToolRequest) -> ToolResult:
        """See :class:`~voicegw.ports.tools.ToolRunner`."""
        return await self._server.call(self._tool, request)


def _meta(request: ToolRequest) -> RequestParamsMeta:
    """An open map by the protocol, a closed one to the type checker."""
    return cast(RequestParamsMeta, {KEY_FIELD: request.key})


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def _list(client: Client) -> list[McpToolInfo]:
    """All pages of the server's tools."""
    found: list[McpToolInfo] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _why(connection: asyncio.Task[None]) -> str:
    """The innermost reason of a failure, which the client package wraps in groups."""
    error = None if connection.cancelled() else connection.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it did not tell its tools in time"
    return f"{type(error).__name__}: {error}" if error is not None else "it closed the connection"
