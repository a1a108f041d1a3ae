"""Whole calls in which a tool waits for a supervisor: company for the caller, the answer, and the record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.house import CALL, House, OneSession
from tests.scenarios.test_llm_conversation import SteppedModel, spoken
from tests.unit.agents.test_llm_session import SYSTEM, CountingRunner, MemoryLedger, order_tool
from voicegw.agents.agent import CallFacts
from voicegw.agents.llm_session import COMPANY_S, LlmSession
from voicegw.agents.llm_settings import LlmSettings, LlmTexts
from voicegw.agents.llm_state import LlmState
from voicegw.agents.tools.approval import REFUSED, NothingWaits, Verdict
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.api.live_calls import LiveCall
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.ports.llm import TextDelta, ToolCallRequested
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import run_by

WISH = ToolCallRequested("x", "order_status", '{"order":"7"}')
TEXTS = LlmTexts("Hello.", approval="A moment, I ask.", still_asking="I still ask.")


class Stage:
    """A call whose agent may look orders up only with a person's approval."""

    def __init__(self, clock: ManualClock, model: SteppedModel, approval_s: float = 45.0) -> None:
        self.runner, self.ledger = CountingRunner(), MemoryLedger()
        self.desk = ToolDesk(self.ledger, clock, Counters())
        registry = ToolRegistry([replace(order_tool(self.runner), approval_s=approval_s)])
        tools = CallTools(CallFacts(CALL, "demo", "+15550100"), lambda: registry, self.desk)
        session = LlmSession(LlmSettings("en-US", TEXTS), LlmState((SYSTEM,)), model, tools, None)
        self.house = House([], OneSession(session), clock=clock)

    async def ask(self) -> None:
        """The caller asks for what needs approval, and hears so."""
        await self.house.answer()
        await self.house.run(1.0)
        await self.house.caller_says("where is order seven")
        await self.house.run(3.0)

    def judge(self, *, approved: bool) -> None:
        (waits,) = self.of(f.ToolWaitsForApproval)[-1:]
        self.desk.approvals.judge(CALL, waits.key, Verdict(approved, "ada"))

    def of(self, kind: type[f.Fact]) -> list[f.Fact]:
        return self.house.facts.of(kind)


def test_the_caller_is_kept_company_until_a_supervisor_approves() -> None:
    clock = ManualClock()

    async def story() -> None:
        model = SteppedModel([WISH], [TextDelta("It is on its way.")])
        stage = Stage(clock, model)
        await stage.ask()
        (waits,) = stage.of(f.ToolWaitsForApproval)
        assert (waits.tool, waits.arguments, waits.within_s) == ("order_status", '{"order":"7"}', 45.0)
        await stage.house.run(COMPANY_S + 2)
        assert [text for text, _ in spoken(stage.house)][-2:] == ["A moment, I ask.", "I still ask."]
        assert not stage.runner.runs
        stage.judge(approved=True)
        await stage.house.run(3.0)
        assert spoken(stage.house)[-1] == ("It is on its way.", False)
        assert stage.runner.runs == 1
        (approved,) = stage.of(f.ToolWasApproved)
        assert (approved.key, approved.by) == (waits.key, "ada")
        assert [entry.result.status.value for entry in stage.ledger.entries.values()] == ["done"]

    run_by(clock, story())


def test_a_refusal_and_a_deadline_are_told_to_the_model_and_written_down() -> None:
    async def story(clock: ManualClock, *, refused: bool) -> None:
        model = SteppedModel([WISH], [TextDelta("I may not look that up.")])
        stage = Stage(clock, model, approval_s=10.0)
        await stage.ask()
        if refused:
            stage.judge(approved=False)
        await stage.house.run(10.0)
        assert ("I may not look that up.", False) in spoken(stage.house)
        (fact,) = stage.of(f.ToolWasRefused)
        reason = REFUSED if refused else "nobody answered in time"
        assert (fact.by, fact.reason) == ("ada" if refused else "", reason)
        assert reason in model.requests[1].messages[-1].content
        assert not stage.runner.runs
        assert [entry.result.status.value for entry in stage.ledger.entries.values()] == ["failed"]

    for refused in (True, False):
        clock = ManualClock()
        run_by(clock, story(clock, refused=refused))


def test_nothing_runs_for_a_caller_who_is_gone() -> None:
    clock = ManualClock()

    async def story() -> None:
        stage = Stage(clock, SteppedModel([WISH]))
        await stage.ask()
        await stage.house.hang_up()
        with pytest.raises(NothingWaits):
            stage.judge(approved=True)
        assert not stage.runner.runs and not stage.ledger.entries
        assert live(stage).waiting == {}

    run_by(clock, story())


def test_a_supervisor_sees_only_what_is_still_waited_for() -> None:
    """A caller who goes on speaking has the reply dropped, and with it the question; then it is asked anew."""
    clock = ManualClock()

    async def story() -> None:
        stage = Stage(clock, SteppedModel([WISH], [WISH], [TextDelta("It is on its way.")]))
        await stage.ask()
        (first,) = live(stage).waiting.values()
        await stage.house.caller_says("where is order seven please")
        (again,) = live(stage).waiting.values()
        await stage.house.run(3.0)
        withdrawn = stage.of(f.ToolWasWithdrawn)
        assert [(fact.key, fact.tool) for fact in withdrawn] == [(first.key, "order_status")]
        assert [fact.key for fact in stage.of(f.ToolWaitsForApproval)] == [first.key, again.key]
        stage.judge(approved=True)
        await stage.house.run(3.0)
        assert live(stage).waiting == {} and stage.runner.runs == 1

    run_by(clock, story())


def live(stage: Stage) -> LiveCall:
    """The call as the live list has it."""
    call = LiveCall(CALL)
    for entry in stage.house.facts.entries:
        call.add(entry.seq, entry.data)
    return call
