"""Exactly once, over arbitrary interleavings of requests, interruptions, retries, ends and crashes."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.agents.tools.rig import Bodies, Disk, House, MemoryToolLedger, tool, turns
from voicegw.agents.tools.exactly_once import RUN_TABLE, RunState, RunTrigger
from voicegw.base.fsm import IllegalTransition
from voicegw.ports.tools import IdempotencyKey, ToolEffect, ToolResult, ToolStatus
from voicegw.testing.manual_clock import ManualClock

ENDS = {
    "done": ToolResult.done({}),
    "failed": ToolResult.failed("no"),
    "unknown": ToolResult.unknown("?"),
}

operations = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(["once", "twice_is_fine"]), st.integers(0, 1)),
    st.tuples(st.just("step"), st.integers(1, 6), st.just(0)),
    st.tuples(st.just("end"), st.sampled_from(sorted(ENDS)), st.integers(0, 1)),
    st.tuples(st.sampled_from(["interrupt", "undo", "settle", "crash"]), st.just(0), st.just(0)),
)


class Story:
    """A call, the processes it lives through, and what really happened in the world outside."""

    def __init__(self) -> None:
        self.disk: Disk = {}
        self.clock = ManualClock()
        self.bodies = Bodies()
        self.world: dict[IdempotencyKey, set[str]] = {}
        self.turn = 0
        self.asked = Counter[IdempotencyKey]()
        self._start()

    def _start(self) -> None:
        self.house = House(
            tool("once", self.bodies),
            tool("twice_is_fine", self.bodies, ToolEffect.IDEMPOTENT),
            ledger=MemoryToolLedger(self.disk),
            clock=self.clock,
        )
        self.waiters: list[asyncio.Task[object]] = []
        self.reply: list[tuple[asyncio.Task[object], object]] = []
        self.house.tools.begin_reply(self.turn)

    async def do(self, what: str, first: object, second: int) -> None:
        match what:
            case "ask":
                prepared = self.house.ask(str(first), f'{{"n":{second}}}')
                self.waiters.append(asyncio.create_task(self.house.tools.run(prepared)))
                self.reply.append((self.waiters[-1], prepared))
            case "step":
                await turns(int(str(first)))
            case "end" if second < len(self.bodies.waiting):
                key = self.bodies.end(ENDS[str(first)], second)
                self.world.setdefault(key, set()).add(str(first))
            case "settle":
                ended = [one for task, one in self.reply if task.done() and not task.cancelled()]
                self.house.tools.settle(ended)  # type: ignore[arg-type]
            case "interrupt" | "undo":
                self.turn += what == "interrupt"
                await self._stop_waiting()
                self.house.tools.begin_reply(self.turn)
            case "crash":
                await self.crash()

    async def _stop_waiting(self) -> None:
        for waiter in self.waiters:
            waiter.cancel()
        await asyncio.gather(*self.waiters, return_exceptions=True)
        self.waiters, self.reply = [], []

    async def crash(self) -> None:
        """Every task of the process is gone in one moment; the disk stays. The call is replayed from its start."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        before = dict(self.disk)
        await asyncio.gather(*others, return_exceptions=True)
        self.disk.clear()
        self.disk.update(before)
        for _, end in self.bodies.waiting:
            end.cancel()
        self.bodies.waiting.clear()
        self.turn = 0
        self._start()
        await MemoryToolLedger(self.disk).recover(self.clock.wall())

    def check(self) -> None:
        runs = Counter(request.key for request in self.bodies.runs)
        effects = {request.key: request.call.name for request in self.bodies.runs}
        for key, count in runs.items():
            assert key in self.disk, "a body ran before its intent was on the disk"
            assert effects[key] == "twice_is_fine" or count == 1, "a body that must run once ran again"
        for key, entry in self.disk.items():
            if entry.result is None:
                continue
            happened = self.world.get(key, set())
            if entry.result.status is ToolStatus.DONE:
                assert "done" in happened
            if entry.result.status is ToolStatus.FAILED and entry.intent.effect is ToolEffect.ONCE:
                assert happened == {"failed"}


@settings(max_examples=100, deadline=None)
@given(st.lists(operations, min_size=25, max_size=60))
def test_a_body_runs_at_most_once_per_wish_and_the_ledger_never_lies(
    story_line: list[tuple[str, object, int]],
) -> None:
    async def run() -> None:
        story = Story()
        for what, first, second in story_line:
            await story.do(what, first, second)
            story.check()
        await story.crash()
        story.check()
        assert all(e.result or e.intent.effect is ToolEffect.IDEMPOTENT for e in story.disk.values())

    asyncio.run(run())


@given(st.sampled_from(RunState), st.sampled_from(RunTrigger))
def test_the_table_has_every_legal_pair_and_no_other(state: RunState, trigger: RunTrigger) -> None:
    is_end = trigger in (RunTrigger.SUCCEED, RunTrigger.FAIL, RunTrigger.LOSE)
    legal = (
        (state is RunState.RUNNING and is_end)
        or (state is RunState.INTENDED and trigger in (RunTrigger.START, RunTrigger.LOSE))
        or (state is not RunState.RUNNING and trigger is RunTrigger.REPEAT)
    )
    try:
        after = RUN_TABLE.next(state, trigger)
    except IllegalTransition:
        assert not legal
    else:
        assert legal
        assert after is not state or trigger is RunTrigger.REPEAT
