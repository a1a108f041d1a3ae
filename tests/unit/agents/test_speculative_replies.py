"""A reply that may yet be dropped: it may think, read and prepare, and nothing outside the call changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.unit.agents.talk import FakeHttp
from tests.unit.agents.test_llm_session import (
    CONTEXT,
    CountingRunner,
    ScriptedModel,
    order_tool,
    said,
    session,
    speech,
)
from voicegw.agents.actions import AgentAction, CallWebhook, Gather, Hangup, Say
from voicegw.agents.agent import AgentContext, AgentSession, CallerTurn, TurnKind
from voicegw.agents.flow_session import FlowSession
from voicegw.agents.load import parse_flow
from voicegw.agents.tools.tool import Action, Tool, make_tool
from voicegw.ports.http import HttpResponse
from voicegw.ports.llm import TextDelta, ToolCallRequested
from voicegw.ports.tools import ToolEffect

ASKS = ToolCallRequested("1", "order_status", '{"order":"4711"}')
HANG_UP = make_tool("hang_up", "Ends the call.", {"type": "object"}, Action(lambda _arguments: Hangup()))
FLOW = """
name: shop
greeting: Hello.
steps:
  - webhook: {{method: {method}, url: "http://shop.example/orders", on_error: done}}
  - id: done
    say: Done.
  - hangup: {{}}
"""


def reading(tool: Tool) -> Tool:
    return replace(tool, effect=ToolEffect.NONE)


class Pending:
    """A reply under way whose turn is not certain: what it wants so far, and the word that it will be heard."""

    def __init__(self, agent: AgentSession, turn: CallerTurn) -> None:
        self.actions: list[AgentAction] = []
        self._gate = asyncio.Event()
        self._task = asyncio.create_task(self._run(agent, turn))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def commit(self) -> list[AgentAction]:
        self._gate.set()
        await self._task
        return self.actions

    async def drop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self, agent: AgentSession, turn: CallerTurn) -> None:
        async for action in agent.reply(turn, replace(CONTEXT, committed=self._committed)):
            self.actions.append(action)

    async def _committed(self) -> None:
        await self._gate.wait()


def test_a_tool_with_an_effect_waits_until_the_reply_is_certain() -> None:
    async def run() -> None:
        runner = CountingRunner()
        agent = session(ScriptedModel([ASKS], [TextDelta("Done.")]), order_tool(runner, "Let me look."))
        pending = Pending(agent, speech("order"))
        await pending.settle()
        assert pending.actions == [Say("Let me look.")], "what is said first may be synthesised already"
        assert runner.runs == 0
        actions = await pending.commit()
        assert runner.runs == 1
        assert said(actions) == ["Let me look.", "Done."]

    asyncio.run(run())


def test_a_tool_that_only_reads_does_not_wait() -> None:
    async def run() -> None:
        runner = CountingRunner()
        agent = session(ScriptedModel([ASKS], [TextDelta("On its way.")]), reading(order_tool(runner)))
        pending = Pending(agent, speech("order"))
        await pending.settle()
        assert runner.runs == 1
        assert isinstance(pending.actions[-1], Gather)
        await pending.commit()

    asyncio.run(run())


def test_a_dropped_speculation_has_done_nothing() -> None:
    async def run() -> None:
        runner = CountingRunner()
        model = ScriptedModel([TextDelta("One second. "), ASKS], [ASKS], [TextDelta("Done.")])
        agent = session(model, order_tool(runner))
        before = agent.checkpoint()
        pending = Pending(agent, speech("order"))
        await pending.settle()
        await pending.drop()
        agent.restore(before)
        assert runner.runs == 0
        await Pending(agent, speech("order please")).commit()
        assert runner.runs == 1
        assert [m.content.endswith("order please") for m in model.requests[1].messages] == [False, True]

    asyncio.run(run())


def test_the_call_is_not_ended_by_a_speculation() -> None:
    async def run() -> None:
        model = ScriptedModel([TextDelta("Bye."), ToolCallRequested("1", "hang_up", "{}")])
        pending = Pending(session(model, HANG_UP), speech("bye"))
        await pending.settle()
        assert Hangup() not in pending.actions
        assert (await pending.commit())[-1] == Hangup()

    asyncio.run(run())


def test_a_wish_that_was_heard_of_is_a_new_one_even_after_a_dropped_speculation() -> None:
    async def run() -> None:
        runner = CountingRunner()
        tell = [TextDelta("Shipped.")]
        agent = session(ScriptedModel([ASKS], tell, [TextDelta("Hm")], [ASKS], tell), order_tool(runner))
        await Pending(agent, speech("order it")).commit()
        before = agent.checkpoint()
        dropped = Pending(agent, speech("again"))
        await dropped.drop()
        agent.restore(before)
        speculated = Pending(agent, speech("again"))
        await speculated.settle()
        await speculated.drop()
        agent.restore(before)
        await Pending(agent, speech("again please")).commit()
        assert runner.runs == 2

    asyncio.run(run())


@pytest.mark.parametrize(("method", "before"), [("GET", 1), ("POST", 0)])
def test_a_web_service_that_does_more_than_read_waits_too(method: str, before: int) -> None:
    async def run() -> None:
        http = FakeHttp({"http://shop.example/orders": HttpResponse(200, {}, "{}")})
        agent = FlowSession(parse_flow(FLOW.format(method=method)), http, CONTEXT.facts)
        pending = Pending(agent, CallerTurn(TurnKind.CALL_STARTED))
        await pending.settle()
        assert len(http.requests) == before
        assert any(isinstance(action, CallWebhook) for action in pending.actions)
        await pending.commit()
        assert len(http.requests) == 1

    asyncio.run(run())


def test_without_a_word_about_it_a_reply_is_certain() -> None:
    asyncio.run(AgentContext(CONTEXT.facts, CONTEXT.now).committed())
