"""The one place where bodies of tools run: each in a task of its own that no interruption of a reply can reach.

A reply that is dropped only stops waiting. The body goes on, its end is written down, and whoever asks for the same
wish meanwhile waits for the same task.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from voicegw.agents.tools.approval import Approvals, Asked
from voicegw.agents.tools.exactly_once import LOST, RUN_TABLE, TRIGGER_OF, RunState, RunTrigger
from voicegw.agents.tools.tool import Tool, check_result
from voicegw.agents.tools.written import written_arguments
from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.ports.tools import (
    IdempotencyKey,
    LedgerEntry,
    ToolEffect,
    ToolIntent,
    ToolLedger,
    ToolRequest,
    ToolResult,
    ToolRunner,
    ToolStatus,
)
from voicegw.ports.tracing import WorkKind, working

log = logging.getLogger(__name__)

GRACE_S = 0.5
"""A body gives its own, better reason at its time limit; this much later it is given up."""
MAX_RESULT_CHARS = 16_000
"""More is no answer for a conversation, and every character is paid for in each later turn."""


@dataclass(frozen=True, slots=True)
class Job:
    """One wish, ready to run."""

    tool: Tool
    runner: ToolRunner
    request: ToolRequest


class ToolDesk:
    """Runs the tools of all calls of a node. Close it after the calls and before the ledger."""

    def __init__(self, ledger: ToolLedger, clock: Clock, counters: Counters) -> None:
        self._ledger = ledger
        self._clock = clock
        self._counters = counters
        self._wishes: dict[str, asyncio.Task[ToolResult]] = {}
        self._bodies: set[asyncio.Task[ToolResult]] = set()
        self._closed = False
        self.approvals = Approvals()

    def ask(self, call_id: CallId, key: IdempotencyKey, within_s: float) -> Asked:
        """Put a wish before a person."""
        return Asked(self.approvals, call_id, key, within_s, self._clock)

    async def refuse(self, job: Job, reason: str) -> ToolResult:
        """Write down that the wish was not granted; what the ledger knows of it already stays."""
        result = ToolResult.failed(reason)
        self._counters.add("tool_refused")
        try:
            claim = await self._ledger.claim(_intent(job, self._clock.wall()))
            if not claim.granted:
                return _recorded(claim.entry)
            await self._ledger.conclude(job.request.key, result, self._clock.wall())
        except LocalError as error:
            self._counters.add("tool_ledger_errors")
            log.error("the refusal of a tool cannot be written: %s", error, extra=_names(job))
        return result

    async def run(self, job: Job) -> ToolResult:
        """The result of a wish: by running it, by waiting for the run under way, or from the ledger.

        Cancelling the caller of this method does not cancel the tool.
        """
        if self._closed:
            return ToolResult.failed("the server is shutting down")
        key = job.request.key
        task = self._wishes.get(key)
        if task is None:
            task = asyncio.create_task(self._grant(job), name=f"tool {job.tool.spec.name}")
            self._wishes[key] = task
            task.add_done_callback(lambda _task: self._wishes.pop(key, None))
        else:
            self._counters.add("tool_joined")
        return await asyncio.shield(task)

    async def close(self, grace_s: float = 5.0) -> None:
        """Take no more wishes, let the bodies under way end, and after ``grace_s`` cancel them as UNKNOWN."""
        self._closed = True
        if self._wishes:
            await asyncio.wait(set(self._wishes.values()), timeout=grace_s)
        for body in self._bodies:
            body.cancel()
        await asyncio.gather(*self._wishes.values())

    async def _grant(self, job: Job) -> ToolResult:
        try:
            claim = await self._ledger.claim(_intent(job, self._clock.wall()))
        except LocalError as error:
            self._counters.add("tool_ledger_errors")
            log.error("a tool was not run: its intent cannot be written: %s", error, extra=_names(job))
            return ToolResult.failed("it was not started because it could not be written down")
        if not claim.granted:
            self._counters.add("tool_replayed")
            return _recorded(claim.entry)
        return await self._carry_out(job)

    async def _carry_out(self, job: Job) -> ToolResult:
        started = self._clock.monotonic()
        state = RUN_TABLE.next(RunState.INTENDED, RunTrigger.START)
        result = _settled(job.tool.effect, await self._body(job))
        result = _within_bounds(check_result(job.tool, result))
        state = RUN_TABLE.next(state, TRIGGER_OF[result.status])
        self._counters.add(f"tool_{state.value}")
        took_s = self._clock.monotonic() - started
        self._counters.observe("tool_seconds", took_s)
        took_ms = round(took_s * 1000)
        log.info("tool ended", extra={**_names(job), "status": state.value, "took_ms": took_ms})
        try:
            await self._ledger.conclude(job.request.key, result, self._clock.wall())
        except LocalError as error:
            # The caller still gets the result; for the ledger the key stays open, which is never a second run.
            self._counters.add("tool_ledger_errors")
            log.error("the result of a tool cannot be written: %s", error, extra=_names(job))
        return result

    async def _body(self, job: Job) -> ToolResult:
        """Run the body; whatever it does, there is a result."""
        body = asyncio.create_task(_run(job), name=f"body of {job.tool.spec.name}")
        self._bodies.add(body)
        body.add_done_callback(self._body_ended)
        await asyncio.wait({body}, timeout=job.request.timeout_s + GRACE_S)
        if not body.done():
            body.cancel()
            return ToolResult.unknown(f"no result within {job.request.timeout_s:g} s")
        if body.cancelled():
            return ToolResult.unknown("the server was shut down before the result was known")
        if error := body.exception():
            log.error("a tool broke", exc_info=error, extra=_names(job))
            return ToolResult.unknown("it broke before its result was known")
        return body.result()

    def _body_ended(self, body: asyncio.Task[ToolResult]) -> None:
        self._bodies.discard(body)
        if not body.cancelled():
            body.exception()  # marked as seen: a body that was given up may still break, and nobody waits for it


async def _run(job: Job) -> ToolResult:
    name = job.tool.spec.name
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    with working(f"execute_tool {name}", WorkKind.HERE, told) as work:
        result = await job.runner.run(job.request)
        if result.status is not ToolStatus.DONE:
            work.failed(result.status.value)
        return result


def _intent(job: Job, now_wall: float) -> ToolIntent:
    request = job.request
    arguments = written_arguments(request.call.arguments_json, job.tool.sensitive)
    name, effect = job.tool.spec.name, job.tool.effect
    return ToolIntent(request.key, request.call_id, name, effect, arguments, now_wall, request.calling)


def _recorded(entry: LedgerEntry) -> ToolResult:
    """What the ledger knows of a wish that must not run now; open means that another process had it."""
    return entry.result if entry.result is not None else ToolResult.unknown(LOST)


def _settled(effect: ToolEffect, result: ToolResult) -> ToolResult:
    """A reading that nobody knows the end of has done no harm: it failed."""
    if effect is ToolEffect.NONE and result.status is ToolStatus.UNKNOWN:
        return ToolResult(ToolStatus.FAILED, result.content_json.replace('{"unknown":', '{"error":', 1))
    return result


def _within_bounds(result: ToolResult) -> ToolResult:
    if len(result.content_json) <= MAX_RESULT_CHARS:
        return result
    cut = {"truncated": True, "beginning": result.content_json[: MAX_RESULT_CHARS // 2]}
    return ToolResult(result.status, ToolResult.done(cut).content_json)


def _names(job: Job) -> dict[str, object]:
    """What a log line may hold: never arguments or results, which are the caller's."""
    return {"tool": job.tool.spec.name, "key": job.request.key, "call_id": job.request.call_id}
