"""Who is calling, found out before the call is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.scenarios.house import LEG, House
from tests.scenarios.test_llm_conversation import SteppedModel, spoken
from tests.unit.agents.test_llm_files import MINIMAL
from tests.unit.agents.test_llm_session import MemoryLedger
from voicegw.agents.llm_agent import LlmAgent, LlmNeeds
from voicegw.agents.llm_model import LlmAgentFile
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Tool, make_tool
from voicegw.base.causes import HangupCause
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.dialplan.checked import load_yaml
from voicegw.ports.llm import Llm, TextDelta
from voicegw.ports.tools import ToolEffect, ToolRequest, ToolResult
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import run_by

FILE = (
    MINIMAL
    + """tools:
  - type: builtin
    builtin: caller_lookup
    tool: who_is
    arguments: {phone: "{{ calling }}"}
    save: {customer: name}
    timeout_s: 2
"""
)


class Directory:
    """Knows one caller, once ``open`` is set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.asked: list[str] = []

    async def run(self, request: ToolRequest) -> ToolResult:
        self.asked.append(request.call.arguments_json)
        await self.open.wait()
        return ToolResult.done({"name": "Ada"})


class LookUpHouse:
    """A house with one model and one tool."""

    def __init__(self, model: Llm, *tools: Tool) -> None:
        self.desk = ToolDesk(MemoryLedger(), SystemClock(), Counters())
        self._model = model
        self._tools = ToolRegistry(tools)

    def models_of(self, file: LlmNeeds) -> Callable[[], Llm]:
        return lambda: self._model

    def tools_of(self, file: LlmNeeds) -> Callable[[], ToolRegistry]:
        return lambda: self._tools


def agent(model: SteppedModel, directory: Directory, effect: ToolEffect = ToolEffect.NONE) -> LlmAgent:
    schema = {"type": "object", "properties": {"phone": {"type": "string"}}}
    tool = make_tool("who_is", "Tells who has a number.", schema, directory, effect=effect)
    file, _ = load_yaml(LlmAgentFile, FILE, "clerk.yaml")
    return LlmAgent(file, LookUpHouse(model, tool), None)


def test_the_call_rings_until_the_caller_is_known_and_the_model_knows_them_too() -> None:
    async def story() -> None:
        directory, model = Directory(), SteppedModel([TextDelta("Good morning, Ada.")])
        stage = House([], agent(model, directory))
        await stage.answer()
        assert stage.signalling.said == ["ring"]
        assert directory.asked == ['{"phone":"+15550100"}']
        directory.open.set()
        await stage.settle()
        stage.call.post(e.LegConfirmed(LEG))
        await stage.run(1.0)
        assert stage.signalling.said == ["ring", "accept"]
        await stage.caller_says("do you know me")
        await stage.run(2.0)
        assert model.requests[0].messages[0].content.endswith("What is known of the caller:\ncustomer: Ada")
        assert [fact.value for fact in stage.facts.of(f.SlotWasFilled)] == ["Ada"]  # type: ignore[attr-defined]
        assert spoken(stage)[-1] == ("Good morning, Ada.", False)

    asyncio.run(story())


def test_a_directory_that_is_slow_does_not_keep_the_caller_waiting_for_ever() -> None:
    clock = ManualClock()

    async def story() -> None:
        stage = House([], agent(SteppedModel(), Directory()), clock=clock)
        await stage.answer()
        await stage.run(1.9)
        assert stage.signalling.said == ["ring"]
        await stage.run(0.3)
        assert stage.signalling.said == ["ring", "accept"]
        assert stage.facts.of(f.SlotWasFilled) == []

    run_by(clock, story())


def test_a_caller_who_gives_up_meanwhile_is_not_answered() -> None:
    async def story() -> None:
        directory = Directory()
        stage = House([], agent(SteppedModel(), directory))
        await stage.answer()
        stage.call.post(e.LegEnded(LEG, HangupCause.CALLER_CANCELLED))
        await stage.settle()
        directory.open.set()
        await stage.run(0.1)
        assert "accept" not in stage.signalling.said

    asyncio.run(story())


def test_a_look_up_that_does_more_than_read_is_refused() -> None:
    with pytest.raises(ConfigError, match="does more than read"):
        agent(SteppedModel(), Directory(), ToolEffect.ONCE)
