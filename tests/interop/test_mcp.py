"""MCP servers made with the protocol's own server package, as real processes: stdio and HTTP, alive and killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.agents.tools.rig import FACTS, House
from voicegw.agents.tools.config import McpToolConfig
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.inference.mcp.server import FIRST_PAUSE_S, McpServer, Sleep
from voicegw.ports.tools import IdempotencyKey, ToolCall, ToolEffect, ToolRequest, ToolResult, ToolStatus
from voicegw.testing.ports import free_port

pytestmark = pytest.mark.interop

PROGRAM = Path(__file__).with_name("mcp_tool_server.py")
START_S = 60.0
"""The server package takes seconds to import on a busy machine."""

Story = Callable[[McpServer, Path], Awaitable[None]]


def settings(**more: object) -> McpToolConfig:
    return McpToolConfig.model_validate(
        {"type": "mcp", "name": "shop", "timeout_s": 20, "start_timeout_s": START_S, **more}
    )


def over_stdio(
    path: Path,
    story: Story,
    sleep: Sleep = asyncio.sleep,
    on_change: Callable[[], None] = lambda: None,
    **more: object,
) -> Counters:
    journal = path / "journal"
    counters = Counters()

    async def run() -> None:
        config = settings(command=(sys.executable, str(PROGRAM), str(journal)), **more)
        server = McpServer(config, os.environ, SystemClock(), counters, on_change=on_change, sleep=sleep)
        try:
            await server.start()
            await story(server, journal)
        finally:
            await server.close()

    asyncio.run(run())
    return counters


async def call(server: McpServer, tool: str, arguments: object | None = None, timeout_s: float = 20) -> ToolResult:
    request = ToolRequest(
        ToolCall("x", tool, json.dumps(arguments or {})), IdempotencyKey("k1"), timeout_s, FACTS.call_id
    )
    return await server.call(tool, request)


def done(journal: Path) -> list[str]:
    """What the tools did, over all lives of the server."""
    return [line for line in journal.read_text().splitlines() if not line.startswith("started")]


def started(journal: Path) -> list[int]:
    """The process ids of the server's lives."""
    return [int(line.split()[1]) for line in journal.read_text().splitlines() if line.startswith("started")]


def test_tools_are_listed_and_called_and_their_failures_told(tmp_path: Path) -> None:
    async def story(server: McpServer, journal: Path) -> None:
        found = {tool.spec.name: tool for tool in server.tools}
        assert set(found) == {"find_order", "book", "broken", "hang", "open_garden", "die"}
        assert found["find_order"].spec.description == "Find an order by its number."
        assert found["find_order"].parameters.problems({}) != []
        assert found["find_order"].result is not None
        assert found["find_order"].effect is ToolEffect.ONCE
        order = await call(server, "find_order", {"number": "4711"})
        assert order == ToolResult.done({"number": "4711", "status": "shipped"})
        assert (await call(server, "book", {"day": "monday"})).status is ToolStatus.DONE
        assert (await call(server, "broken")).status is ToolStatus.FAILED
        assert (await call(server, "no_such_tool")).status is ToolStatus.FAILED
        assert (await call(server, "book", {"wrong": 1})).status is ToolStatus.FAILED
        assert done(journal) == ["book monday k1"]

    over_stdio(tmp_path, story)


def test_a_call_without_an_answer_is_unknown_and_the_server_lives_on(tmp_path: Path) -> None:
    async def story(server: McpServer, journal: Path) -> None:
        result = await call(server, "hang", timeout_s=0.2)
        assert result == ToolResult.unknown("no result within 0.2 s")
        assert (await call(server, "book", {"day": "monday"})).status is ToolStatus.DONE
        assert len(started(journal)) == 1

    over_stdio(tmp_path, story)


def test_a_server_that_dies_in_a_call_leaves_it_unknown_and_is_started_again(tmp_path: Path) -> None:
    async def story(server: McpServer, journal: Path) -> None:
        assert (await call(server, "die")).status is ToolStatus.UNKNOWN
        down = await call(server, "book", {"day": "monday"})
        assert down.status is ToolStatus.FAILED
        assert "not running" in down.content_json
        assert {tool.spec.name for tool in server.tools} >= {"book"}
        async with asyncio.timeout(START_S):
            await server.wait_up()
        assert (await call(server, "book", {"day": "tuesday"})).status is ToolStatus.DONE
        assert done(journal) == ["die", "book tuesday k1"]

    assert over_stdio(tmp_path, story).get("mcp_connections_lost") == 1


def test_a_server_that_is_killed_while_idle_is_noticed_without_a_call(tmp_path: Path) -> None:
    async def story(server: McpServer, journal: Path) -> None:
        os.kill(started(journal)[0], signal.SIGKILL)
        async with asyncio.timeout(START_S):
            await noticed.wait()
            await server.wait_up()
        assert (await call(server, "book", {"day": "monday"})).status is ToolStatus.DONE
        assert len(started(journal)) == 2

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        noticed.set()

    noticed = asyncio.Event()
    pauses: list[float] = []
    over_stdio(tmp_path, story, pause)
    assert FIRST_PAUSE_S in pauses


def test_names_permissions_and_trust_are_ours_to_give(tmp_path: Path) -> None:
    async def story(server: McpServer, journal: Path) -> None:
        effects = {tool.spec.name: tool.effect for tool in server.tools}
        assert effects == {"shop_book": ToolEffect.IDEMPOTENT, "shop_find_order": ToolEffect.NONE}
        house = House(*server.tools)
        outcome = await house.tools.run(house.ask("shop_find_order", '{"number":"7"}'), committed=False)
        assert outcome.result == ToolResult.done({"number": "7", "status": "shipped"})
        (entry,) = house.disk.values()
        assert entry.result == outcome.result

    over_stdio(
        tmp_path,
        story,
        prefix="shop_",
        allow=["book", "find_order"],
        effects={"book": "idempotent"},
        trust_annotations=True,
    )


def test_a_tool_that_is_new_can_be_used_without_a_restart(tmp_path: Path) -> None:
    async def story(server: McpServer, journal: Path) -> None:
        version = server.version
        assert (await call(server, "open_garden")).status is ToolStatus.DONE
        async with asyncio.timeout(START_S):
            await changed.wait()
        assert "book_garden" in {tool.spec.name for tool in server.tools}
        assert server.version == version + 1
        assert (await call(server, "book_garden", {"day": "monday"})).status is ToolStatus.DONE
        assert done(journal) == ["garden monday"]
        assert len(started(journal)) == 1

    def on_change() -> None:
        changes.append(1)
        if len(changes) == 2:
            changed.set()

    changed = asyncio.Event()
    changes: list[int] = []
    over_stdio(tmp_path, story, on_change=on_change)


@pytest.mark.parametrize("command", [("/bin/true",), ("/no/such/program",), ("/bin/cat",)])
def test_a_program_that_is_no_server_is_an_error_in_time(command: tuple[str, ...]) -> None:
    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.Event().wait()

    async def run() -> None:
        server = McpServer(
            settings(command=command, start_timeout_s=1.0), {}, SystemClock(), Counters(), sleep=pause
        )
        try:
            with pytest.raises(ProviderError, match="mcp server shop"):
                await server.start()
            assert (await call(server, "book")).status is ToolStatus.FAILED
        finally:
            await server.close()

    pauses: list[float] = []
    asyncio.run(run())


def test_a_server_that_does_not_come_up_is_tried_ever_more_slowly() -> None:
    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            enough.set()
            await asyncio.Event().wait()

    async def run() -> None:
        server = McpServer(settings(command=("/no/such/program",)), {}, SystemClock(), Counters(), sleep=pause)
        starting = asyncio.create_task(server.start())
        await enough.wait()
        starting.cancel()
        await server.close()

    enough = asyncio.Event()
    pauses: list[float] = []
    asyncio.run(run())
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_over_http_a_dead_server_is_unknown_then_failed_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    port = free_port()

    async def program() -> asyncio.subprocess.Process:
        arguments = (str(PROGRAM), str(journal), str(port))
        return await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stderr=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )

    async def run() -> None:
        processes = [await program()]
        config = settings(url=f"http://127.0.0.1:{port}/mcp", auth={"bearer": {"env": "TOKEN"}})
        server = McpServer(config, {"TOKEN": "t"}, SystemClock(), Counters())
        try:
            await server.start()
            assert (await call(server, "book", {"day": "monday"})).status is ToolStatus.DONE
            assert (await call(server, "die")).status is ToolStatus.UNKNOWN
            assert (await call(server, "book", {"day": "tuesday"})).status is ToolStatus.FAILED
            processes.append(await program())
            async with asyncio.timeout(START_S):
                await server.wait_up()
            assert (await call(server, "book", {"day": "wednesday"})).status is ToolStatus.DONE
        finally:
            await server.close()
            for process in processes:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    asyncio.run(run())
    assert done(journal) == ["book monday k1", "die", "book wednesday k1"]
