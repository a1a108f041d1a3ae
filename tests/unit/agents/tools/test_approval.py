"""Tools that wait for a person: the answer, the deadline, the ledger, and a caller who interrupts."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.unit.agents.tools.rig import FACTS, At, House, tool
from voicegw.agents.actions import Hangup
from voicegw.agents.tools.approval import LATE, REFUSED, Approvals, Asked, NothingWaits, Verdict
from voicegw.agents.tools.call_tools import PreparedCall
from voicegw.agents.tools.tool import Action, make_tool
from voicegw.base.ids import CallId
from voicegw.ports.tools import IdempotencyKey, ToolEffect, ToolResult, ToolStatus
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import let_pass, run_by

YES, NO = Verdict(True, "ada"), Verdict(False, "ada")


def test_what_nobody_approved_does_not_run_and_the_ledger_knows() -> None:
    async def story() -> None:
        body = At(ToolResult.done({"refunded": 10}))
        house = House(replace(tool("refund", body), approval_s=45.0))
        prepared = house.ask("refund")
        outcome = await house.tools.run(prepared)
        assert outcome.result.status is ToolStatus.FAILED and not body.requests
        assert house.disk[prepared.key].result == outcome.result

    asyncio.run(story())


async def judged(house: House, prepared: PreparedCall, verdict: Verdict) -> None:
    with house.tools.ask(prepared) as asked:
        house.desk.approvals.judge(FACTS.call_id, prepared.key, verdict)
        assert await asked.wait(1.0) == verdict


def test_an_approved_wish_runs_once_however_often_it_is_asked_for() -> None:
    async def story() -> None:
        body = At(ToolResult.done({"refunded": 10}))
        house = House(replace(tool("refund", body), approval_s=45.0))
        house.tools.begin_reply(1)
        await judged(house, prepared := house.ask("refund"), YES)
        first = await house.tools.run(prepared)
        house.tools.begin_reply(2)
        again = house.ask("refund")
        assert house.tools.ask(again).verdict == YES
        assert (await house.tools.run(again)).result == first.result and len(body.requests) == 1

    asyncio.run(story())


def test_a_refused_action_is_not_taken() -> None:
    async def story() -> None:
        hang_up = make_tool("hang_up", "", {"type": "object"}, Action(lambda _arguments: Hangup()))
        house = House(replace(hang_up, approval_s=9.0))
        await judged(house, prepared := house.ask("hang_up", "{}"), NO)
        outcome = await house.tools.run(prepared)
        assert outcome.actions == () and REFUSED in outcome.result.content_json

    asyncio.run(story())


def test_the_deadline_is_that_of_the_wish_whoever_interrupts() -> None:
    clock = ManualClock()

    async def story() -> None:
        asked = Asked(Approvals(), CallId("c"), IdempotencyKey("k"), 45.0, clock)
        with asked:
            first = asyncio.ensure_future(asked.wait(60.0))
            await let_pass(clock, 40.0)
            assert not first.done()
            first.cancel()
        with asked:
            assert asked.left_s == pytest.approx(5.0)
            second = asyncio.ensure_future(asked.wait(60.0))
            await let_pass(clock, 5.1)
            verdict = await second
        assert verdict == Verdict(False) and verdict.reason == LATE

    run_by(clock, story())


def test_an_answer_counts_only_while_somebody_waits_and_only_once() -> None:
    async def story() -> None:
        desk = Approvals()
        asked = Asked(desk, CallId("c"), IdempotencyKey("k"), 45.0, ManualClock())
        with pytest.raises(NothingWaits):
            desk.judge(CallId("c"), "k", YES)
        with asked:
            for call, key in (("c", "other"), ("other", "k")):
                with pytest.raises(NothingWaits):
                    desk.judge(CallId(call), key, YES)
            desk.judge(CallId("c"), "k", YES)
            with pytest.raises(NothingWaits):
                desk.judge(CallId("c"), "k", NO)
        assert asked.verdict == YES

    asyncio.run(story())


def test_a_reading_tool_that_needs_approval_does_not_speculate() -> None:
    house = House(replace(tool("look", At(ToolResult.done({})), ToolEffect.NONE), approval_s=45.0))
    assert not house.ask("look").may_speculate
