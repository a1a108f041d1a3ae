"""A ledger whose disk is a dict that survives its process, bodies that wait to be told how they end, and wiring."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from voicegw.agents.agent import CallFacts
from voicegw.agents.tools.call_tools import CallTools, PreparedCall
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.exactly_once import concluded, decide, recovered
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Tool, make_tool
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.ports.tools import (
    Claim,
    IdempotencyKey,
    LedgerEntry,
    Recovery,
    ToolCall,
    ToolEffect,
    ToolIntent,
    ToolLedger,
    ToolRequest,
    ToolResult,
)
from voicegw.testing.manual_clock import ManualClock

FACTS = CallFacts(CallId("c1"), called="100", calling="+491234")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
Disk = dict[IdempotencyKey, LedgerEntry]


class MemoryToolLedger:
    """Yields before and after each write, so that a crash can fall on either side of it."""

    def __init__(self, disk: Disk, *, full: bool = False) -> None:
        self.disk = disk
        self.full = full

    async def claim(self, intent: ToolIntent) -> Claim:
        await asyncio.sleep(0)
        self._check()
        claim = decide(self.disk.get(intent.key), intent)
        if claim.granted:
            self.disk[intent.key] = claim.entry
        await asyncio.sleep(0)
        return claim

    async def conclude(self, key: IdempotencyKey, result: ToolResult, at_wall: float) -> None:
        await asyncio.sleep(0)
        self._check()
        entry = self.disk.get(key)
        if entry is None:
            raise LocalError("never claimed")
        self.disk[key] = concluded(entry, result, at_wall)
        await asyncio.sleep(0)

    async def recover(self, at_wall: float) -> Recovery:
        entries = [recovered(entry, at_wall) for entry in self.disk.values() if entry.result is None]
        self.disk.update({entry.intent.key: entry for entry in entries})
        unknown = tuple(entry for entry in entries if entry.result is not None)
        return Recovery(unknown, tuple(entry for entry in entries if entry.result is None))

    async def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.full:
            raise LocalError("no space left on device")


class Bodies:
    """A runner that counts its runs per key; each run waits until the test ends it."""

    def __init__(self) -> None:
        self.runs: list[ToolRequest] = []
        self.waiting: list[tuple[IdempotencyKey, asyncio.Future[ToolResult]]] = []

    async def run(self, request: ToolRequest) -> ToolResult:
        self.runs.append(request)
        end: asyncio.Future[ToolResult] = asyncio.get_running_loop().create_future()
        self.waiting.append((request.key, end))
        return await end

    def end(self, result: ToolResult, index: int = 0) -> IdempotencyKey:
        """End the run that has waited longest, or a later one."""
        key, end = self.waiting.pop(index)
        if not end.done():
            end.set_result(result)
        return key


class At:
    """A runner that answers at once."""

    def __init__(self, result: ToolResult) -> None:
        self.result = result
        self.requests: list[ToolRequest] = []

    async def run(self, request: ToolRequest) -> ToolResult:
        self.requests.append(request)
        return self.result


class House:
    """One process: a desk, and the tools of a call at it."""

    def __init__(self, *tools: Tool, ledger: ToolLedger | None = None, clock: ManualClock | None = None) -> None:
        self.disk: Disk = {}
        self.clock = clock or ManualClock()
        self.counters = Counters()
        self.desk = ToolDesk(ledger or MemoryToolLedger(self.disk), self.clock, self.counters)
        registry = ToolRegistry(tools)
        self.tools = CallTools(FACTS, lambda: registry, self.desk)

    def ask(self, name: str, arguments: str = '{"n":1}') -> PreparedCall:
        prepared = self.tools.prepare(ToolCall("x", name, arguments))
        assert isinstance(prepared, PreparedCall), prepared
        return prepared


def tool(name: str, body: Bodies | At, effect: ToolEffect = ToolEffect.ONCE, **more: float) -> Tool:
    """A tool with one optional integer argument."""
    return make_tool(name, "", SCHEMA, body, effect=effect, **more)


async def turns(count: int = 20) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


def scene(story: Callable[[], Awaitable[None]]) -> None:
    """Run a story in an event loop of its own."""

    async def run() -> None:
        await story()

    asyncio.run(run())
