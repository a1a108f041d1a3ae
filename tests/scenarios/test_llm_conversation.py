"""Whole calls with a language model on a manual clock: what is heard, what the model is told, what happens when it
is slow, dead or interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from tests.scenarios.house import CALL, House, OneSession
from tests.unit.agents.test_llm_session import SYSTEM, CountingRunner, MemoryLedger, order_tool
from voicegw.agents.agent import CallFacts
from voicegw.agents.llm_session import LlmSession
from voicegw.agents.llm_settings import LlmSettings, LlmTexts
from voicegw.agents.llm_state import LlmState
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Tool
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.ports.llm import FinishReason, LlmEvent, LlmFinished, LlmRequest, TextDelta, ToolCallRequested

Step = LlmEvent | Exception | asyncio.Event


class SteppedModel:
    """Answers in order; waits where a step is an event that the test sets."""

    def __init__(self, *answers: list[Step]) -> None:
        self.answers = list(answers)
        self.requests: list[LlmRequest] = []
        self.closed = 0

    async def stream(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        self.requests.append(request)
        try:
            for step in self.answers.pop(0):
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
            yield LlmFinished(FinishReason.STOP)
        finally:
            self.closed += 1


def house(model: SteppedModel, *tools: Tool, fallback: LlmSession | None = None) -> House:
    facts = CallFacts(CALL, "demo", "+15550100")
    held = CallTools(facts, lambda: ToolRegistry(tools), ToolDesk(MemoryLedger(), SystemClock(), Counters()))
    settings = LlmSettings("en-US", LlmTexts("Hello."))
    session = LlmSession(settings, LlmState((SYSTEM,)), model, held, fallback)
    return House([], OneSession(session))


def spoken(stage: House) -> list[tuple[str, bool]]:
    return [(fact.heard, fact.interrupted) for fact in stage.facts.of(f.AgentSpoke)]  # type: ignore[attr-defined]


def test_the_first_sentence_is_heard_while_the_model_still_writes() -> None:
    async def story() -> None:
        more = asyncio.Event()
        model = SteppedModel([TextDelta("We open at eight. And we"), more, TextDelta(" close at six.")])
        stage = house(model)
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("when are you open")
        await stage.run(1.2)
        assert spoken(stage)[-1] == ("We open at eight.", False)
        more.set()
        await stage.run(2.0)
        assert spoken(stage)[-1] == ("And we close at six.", False)

    asyncio.run(story())


def test_an_interruption_in_mid_answer_stops_the_model_and_it_knows_what_was_heard() -> None:
    async def story() -> None:
        never = asyncio.Event()
        model = SteppedModel(
            [TextDelta("One two three four five six seven eight nine ten. And"), never], [TextDelta("Sorry.")]
        )
        stage = house(model)
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("count please")
        await stage.run(0.6)
        await stage.caller_says("stop it now")
        await stage.run(1.0)
        assert model.closed >= 1
        heard, interrupted = spoken(stage)[1]
        assert interrupted
        assert model.requests[1].messages[-2].content == f"{heard} …"
        assert spoken(stage)[-1] == ("Sorry.", False)

    asyncio.run(story())


def test_words_added_before_the_answer_is_audible_make_one_longer_turn() -> None:
    async def story() -> None:
        never = asyncio.Event()
        model = SteppedModel([never], [TextDelta("Tuesday morning it is.")])
        stage = house(model)
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("tuesday")
        await stage.caller_says("in the morning")
        await stage.run(1.0)
        users = [message.content for message in model.requests[1].messages if message.role.value == "user"]
        assert len(users) == 1
        assert users[0].endswith("tuesday in the morning")

    asyncio.run(story())


def test_a_slow_model_is_bridged_within_three_seconds_and_its_answer_still_comes() -> None:
    async def story() -> None:
        late = asyncio.Event()
        stage = house(SteppedModel([late, TextDelta("Here it is.")]))
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("a hard question")
        await stage.run(3.5)
        assert spoken(stage)[-1] == ("One moment, please.", False)
        late.set()
        await stage.run(1.5)
        assert spoken(stage)[-1] == ("Here it is.", False)

    asyncio.run(story())


def test_a_dead_model_hands_over_to_the_fallback_in_the_same_breath() -> None:
    async def story() -> None:
        facts = CallFacts(CALL, "demo", "+15550100")
        held = CallTools(facts, ToolRegistry, ToolDesk(MemoryLedger(), SystemClock(), Counters()))
        script = LlmSession(
            LlmSettings("en-US", LlmTexts("Please say hours or address.")),
            LlmState((SYSTEM,)),
            SteppedModel(),
            held,
            None,
        )
        stage = house(SteppedModel([ProviderError("llm", "gone", retryable=True)]), fallback=script)
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("hello")
        await stage.run(5.0)
        assert [text for text, _ in spoken(stage)][-1] == "Please say hours or address."

    asyncio.run(story())


def test_a_tool_keeps_the_caller_company_and_runs_once() -> None:
    async def story() -> None:
        runner = CountingRunner()
        call = ToolCallRequested("1", "order_status", '{"order":"4711"}')
        model = SteppedModel([call], [TextDelta("It is on its way.")])
        stage = house(model, order_tool(runner, "Let me look that up."))
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("where is my order")
        await stage.run(3.0)
        assert [text for text, _ in spoken(stage)][1:] == ["Let me look that up.", "It is on its way."]
        assert runner.runs == 1

    asyncio.run(story())
