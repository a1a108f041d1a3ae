"""A script with a step for a language model, and the house it needs."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.agents.talk import FakeHttp
from tests.unit.agents.test_llm_session import MemoryLedger
from voicegw.agents.agent import CallFacts
from voicegw.agents.flow_llm import LlmStepKit
from voicegw.agents.flow_session import FlowSession
from voicegw.agents.llm_agent import LlmNeeds
from voicegw.agents.load import parse_flow
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Tool
from voicegw.base.clock import SystemClock
from voicegw.base.metrics import Counters
from voicegw.ports.llm import Llm

SCRIPT = """
name: table
greeting: The Mill.
steps:
  - ask: {save: guests, type: number, minimum: 1, maximum: 20, prompt: "How many guests?"}
  - id: talk
    llm:
      models: [local]
      instructions: "Find a day for {{ guests }} guests."
      say: Which day suits you?
      collect:
        day: {type: date, description: the day}
        time: {type: time}
        window: {type: yes_no}
      until:
        found: {goto: done, needs: [day], description: a day is agreed}
        no_wish: {goto: bye}
      max_turns: 3
      on_failure: simple
  - id: done
    say: Noted, {{ guests }} on {{ day }}.
  - id: bye
    hangup: Goodbye then.
  - id: simple
    ask: {save: day, type: date, prompt: "Which day, please?"}
  - goto: done
"""
EAGER = SCRIPT.replace("      say: Which day suits you?\n", "")


class StepHouse:
    """A house with one model, and the tools of the test."""

    def __init__(self, model: Llm, *tools: Tool) -> None:
        self.desk = ToolDesk(MemoryLedger(), SystemClock(), Counters())
        self._model = model
        self._tools = ToolRegistry(tools)

    def models_of(self, file: LlmNeeds) -> Callable[[], Llm]:
        assert file.models == ("local",)
        return lambda: self._model

    def tools_of(self, file: LlmNeeds) -> Callable[[], ToolRegistry]:
        assert file.tools == ()
        return lambda: self._tools


def step_session(model: Llm, facts: CallFacts, *tools: Tool, script: str = SCRIPT) -> FlowSession:
    flow = parse_flow(script)
    house = StepHouse(model, *tools)
    kits = {
        position: LlmStepKit(step.id or "", step.llm, flow.script, house)
        for position, step in enumerate(flow.script.steps)
        if step.llm is not None
    }
    return FlowSession(flow, FakeHttp(), facts, kits)
