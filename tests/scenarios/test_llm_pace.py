"""Whole calls of LLM agents at human pace: what stops the agent and what does not, how long it waits, and what its
model is asked with."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.house import CALL, SAMPLES_PER_CHARACTER, House, OneSession
from tests.scenarios.rehearsal import ANSWER, GREETING, TEXTS, Rehearsal
from tests.scenarios.test_llm_conversation import SteppedModel, house, spoken
from tests.unit.agents.test_llm_session import SYSTEM, MemoryLedger, order_tool
from voicegw.agents.actions import Gather, Hangup, Say
from voicegw.agents.agent import CallFacts
from voicegw.agents.ladder_model import LadderModel
from voicegw.agents.llm_session import LlmSession
from voicegw.agents.llm_settings import LlmSettings, LlmTexts
from voicegw.agents.llm_state import LlmState
from voicegw.agents.preface import Preface, PrefaceSession
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.base.clock import SystemClock
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.inference.llm.config import BudgetConfig
from voicegw.media import messages as m
from voicegw.ports.llm import TextDelta, ToolCallRequested
from voicegw.ports.tools import ToolRequest, ToolResult

LONG = "We are open from Monday to Friday from eight until six."
LOOK = ToolCallRequested("1", "order_status", '{"order":"4711"}')
LAST_WORDS = LadderModel(message="We cannot help you now. Goodbye.")


async def answering(*answers: str) -> tuple[House, SteppedModel]:
    """The caller was greeted, has asked something, and hears the first answer."""
    model = SteppedModel(*[[TextDelta(text)] for text in answers])
    stage = house(model)
    await stage.answer()
    await stage.run(1.0)
    await stage.caller_says("when are you open")
    assert stage.worker.queue
    return stage, model


def commands(stage: House, kind: type[m.Command]) -> int:
    return sum(isinstance(command, kind) for command in stage.worker.commands)


# ---------------------------------------------------------------- what stops the agent


@pytest.mark.parametrize("sound", ["mm-hm", "okay", "uh-huh yeah", ""])
def test_a_back_channel_or_a_cough_costs_a_pause_and_no_sample(sound: str) -> None:
    async def story() -> None:
        stage, model = await answering(LONG)
        await stage.caller_starts()
        stopped_at = stage.worker.queue[0].sent
        await stage.run(0.3)
        await stage.hears(sound)
        assert stage.worker.queue[0].sent == stopped_at, "it is silent from the onset on"
        await stage.caller_stops()
        await stage.run(0.6)
        assert commands(stage, m.ResumePlayout) == 1
        assert commands(stage, m.CutPlayout) == 0
        await stage.run(4.0)
        assert spoken(stage)[-1] == (LONG, False)
        ended = [event for event in stage.facts.entries if isinstance(event.data, f.AgentSpoke)][-1].data
        assert isinstance(ended, f.AgentSpoke)
        paused = [fact for fact in stage.facts.of(f.CallerWasBackground) if isinstance(fact, f.CallerWasBackground)]
        voiced_ms = len(LONG) * SAMPLES_PER_CHARACTER / 8
        held_ms = ended.ended_ms - ended.started_ms - voiced_ms
        assert held_ms == pytest.approx(paused[0].paused_ms, abs=40), (
            "every sample once: it went on where it stopped"
        )
        assert len(model.requests) == 1, "nobody answers a murmur"

    asyncio.run(story())


def test_words_that_mean_something_stop_it_at_once() -> None:
    async def story() -> None:
        stage, model = await answering(LONG, "We are closed on Sundays.")
        await stage.caller_says("and on sundays")
        await stage.run(2.0)
        heard, interrupted = spoken(stage)[1]
        assert interrupted and LONG.startswith(heard)
        assert spoken(stage)[-1] == ("We are closed on Sundays.", False)
        assert model.requests[1].messages[-2].content == f"{heard} …"

    asyncio.run(story())


def test_a_legal_notice_is_said_to_its_end_whatever_the_caller_says() -> None:
    notice = "You are speaking with a machine."

    async def story() -> None:
        model = SteppedModel([TextDelta("A person is busy.")])
        facts = CallFacts(CALL, "demo", "+15550100")
        held = CallTools(facts, ToolRegistry, ToolDesk(MemoryLedger(), SystemClock(), Counters()))
        session = LlmSession(LlmSettings("en-US", LlmTexts("Hello.")), LlmState((SYSTEM,)), model, held, None)
        stage = House([], OneSession(PrefaceSession(Preface(notice, "", ""), session)))
        await stage.answer()
        await stage.run(0.5)
        await stage.caller_starts()
        assert not stage.worker.paused
        await stage.run(0.6)
        await stage.hears("whatever you say")
        await stage.caller_stops()
        await stage.run(3.0)
        assert spoken(stage) == [(notice, False), ("Hello.", False)]
        await stage.caller_says("give me a person")
        await stage.run(2.0)
        assert model.requests[0].messages[-1].content.endswith("give me a person")
        assert spoken(stage)[-1] == ("A person is busy.", False)

    asyncio.run(story())


class SlowTool:
    """Answers when the test says so; counts."""

    def __init__(self) -> None:
        self.runs = 0
        self.ready = asyncio.Event()

    async def run(self, request: ToolRequest) -> ToolResult:
        self.runs += 1
        await self.ready.wait()
        return ToolResult.done({"status": "shipped"})


def test_an_interruption_during_a_tool_keeps_what_was_heard_and_the_tool_runs_once() -> None:
    async def story() -> None:
        company = "Let me look that up for you in our system."
        tool = SlowTool()
        model = SteppedModel([LOOK], [LOOK], [TextDelta("It was shipped.")])
        stage = house(model, order_tool(tool, company))
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("where is my order")
        await stage.run(0.2)
        await stage.caller_says("the one of monday")
        heard, interrupted = spoken(stage)[1]
        assert interrupted and company.startswith(heard)
        tool.ready.set()
        await stage.run(4.0)
        assert tool.runs == 1, "the second wish is the first one, and its answer is there"
        told = model.requests[1].messages
        assert told[-2].content == f"{heard} …", "the model knows how far its words were heard"
        assert not any(message.tool_calls for message in told), "a round without its result was not"
        assert [bool(message.tool_calls) for message in model.requests[2].messages][-2:] == [True, False]
        assert spoken(stage)[-1] == ("It was shipped.", False)

    asyncio.run(story())


@pytest.mark.parametrize(("what", "answer"), [("never mind then", "As you like."), ("mm-hm", "It was shipped.")])
def test_what_is_said_during_a_tool_is_heard_and_never_talked_over(what: str, answer: str) -> None:
    async def story() -> None:
        tool = SlowTool()
        model = SteppedModel([LOOK], [TextDelta("It was shipped.")], [TextDelta("As you like.")])
        stage = house(model, order_tool(tool, "One moment."))
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("where is my order")
        await stage.run(1.5)
        assert spoken(stage)[-1] == ("One moment.", False)
        await stage.caller_starts()
        tool.ready.set()
        await stage.run(0.4)
        await stage.hears(what)
        assert not any(item.started for item in stage.worker.queue), "the answer is there and waits for the caller"
        await stage.run(0.1)
        await stage.caller_stops()
        await stage.run(4.0)
        assert tool.runs == 1
        assert spoken(stage)[-1] == (answer, False)
        asked = [message.content for message in model.requests[-1].messages if message.role.value == "user"]
        assert asked[-1].endswith(what) is (what != "mm-hm")

    asyncio.run(story())


# ---------------------------------------------------------------- how long it waits


def waited(stage: House) -> list[float]:
    return [fact.waited_ms for fact in stage.facts.of(f.TurnWasTimed) if isinstance(fact, f.TurnWasTimed)]


def test_who_is_asked_for_a_number_may_pause_in_it() -> None:
    async def story() -> None:
        model = SteppedModel([TextDelta("What is your order number?")], [TextDelta("Thank you.")])
        stage = house(model)
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("where is my order")
        await stage.run(2.0)
        await stage.caller_starts()
        await stage.run(0.6)
        await stage.hears("four seven")
        await stage.run(0.2)
        await stage.caller_stops()
        await stage.run(0.8)
        assert len(model.requests) == 1, "half a number is no turn, and nothing is prepared for it"
        await stage.caller_starts()
        await stage.run(0.6)
        await stage.hears("four seven one one")
        await stage.run(0.2)
        await stage.caller_stops()
        await stage.run(3.0)
        assert model.requests[1].messages[-1].content.endswith("four seven one one")
        assert waited(stage)[-1] >= 1300
        assert spoken(stage)[-1] == ("Thank you.", False)

    asyncio.run(story())


class FourDigits:
    """A question for four digits."""

    def is_complete(self, partial_text: str, /) -> bool:
        return len(partial_text.split()) == 4


def test_a_complete_answer_ends_the_turn_early() -> None:
    async def story() -> None:
        ask = Gather(grammar=FourDigits(), no_input_ms=60_000, patient=True)
        stage = House([[Say("Four digits, please."), ask], [Say("Thank you."), Hangup()]])
        await stage.answer()
        await stage.run(2.0)
        await stage.caller_says("four seven one one")
        await stage.run(2.0)
        assert waited(stage)[0] < 500
        assert spoken(stage)[-1] == ("Thank you.", False)

    asyncio.run(story())


def test_a_caller_who_pauses_long_is_waited_for_longer() -> None:
    async def story() -> None:
        stage = house(SteppedModel(*[[TextDelta("I see.")]] * 20))
        await stage.answer()
        await stage.run(1.0)
        await stage.caller_says("good morning")
        await stage.run(2.0)
        for _ in range(4):
            for text in ("well", "well i wanted", "well i wanted to ask"):
                await stage.caller_starts()
                await stage.run(0.4)
                await stage.hears(text)
                await stage.caller_stops()
                await stage.run(0.44)
            await stage.run(3.0)
        assert waited(stage)[-1] > waited(stage)[0], "this caller's pauses were learned"

    asyncio.run(story())


# ---------------------------------------------------------------- models


def test_each_request_begins_with_the_whole_of_the_one_before() -> None:
    async def story() -> None:
        stage, model = await answering("From eight to six.", "On Saturdays too.", "Until noon.")
        await stage.run(2.0)
        for question in ("and on saturdays", "until when"):
            await stage.caller_says(question)
            await stage.run(2.0)
        for before, after in zip(model.requests, model.requests[1:], strict=False):
            assert after.messages[: len(before.messages)] == before.messages
        assert model.requests[0].messages[0] == SYSTEM, (
            "what never changes stands first, and the time with the turn"
        )

    asyncio.run(story())


def test_the_second_is_asked_when_the_first_is_late_and_who_speaks_first_is_kept() -> None:
    stage = Rehearsal(LAST_WORDS)
    stage.first.mode, stage.second.mode = "late", "slow"

    async def story() -> None:
        await stage.answer()
        silence = await stage.ask("when are you open")
        assert silence < 2.5
        assert (stage.first.asked, stage.second.asked) == (1, 1)
        assert " ".join(stage.heard[1:]) == ANSWER, "one answer, not two"
        assert stage.moves == []

    stage.play(story())


def test_a_call_that_has_spent_its_budget_goes_down_the_ladder() -> None:
    stage = Rehearsal(LAST_WORDS, budget=BudgetConfig(max_tokens=80))

    async def story() -> None:
        await stage.answer()
        await stage.ask("when are you open")
        assert " ".join(stage.heard[1:]) == ANSWER
        silence = await stage.ask("and where are you exactly please")
        assert silence < 3.0
        assert stage.heard[-1] == "We cannot help you now. Goodbye."
        assert stage.first.asked == 1, "no model is asked any more"

    stage.play(story())


def test_the_greeting_plays_from_memory_without_a_synthesiser() -> None:
    stage = Rehearsal(LAST_WORDS)

    async def story() -> None:
        for voice in stage.voices:
            voice.mode = "hung"
        await stage.answer()
        assert stage.heard == [GREETING]
        assert stage.counters.get("tts_from_prompts") == 1
        assert TEXTS.greeting == GREETING

    stage.play(story())
