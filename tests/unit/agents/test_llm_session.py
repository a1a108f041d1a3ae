"""An LLM agent's side of a call, with a model that says what the test wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from voicegw.agents.actions import AgentAction, Gather, Hangup, Say, ServiceMoved
from voicegw.agents.agent import AgentContext, CallerTurn, CallFacts, TurnKind
from voicegw.agents.llm_session import GO_ON, LlmSession
from voicegw.agents.llm_settings import LlmLimits, LlmSettings, LlmTexts
from voicegw.agents.llm_state import LlmState
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Action, Tool, make_tool
from voicegw.base.causes import HangupCause
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.ports.llm import (
    FinishReason,
    LlmAnswering,
    LlmEvent,
    LlmFinished,
    LlmMessage,
    LlmRequest,
    LlmRole,
    TextDelta,
    ToolCallRequested,
)
from voicegw.ports.tools import Claim, IdempotencyKey, LedgerEntry, Recovery, ToolIntent, ToolRequest, ToolResult

FACTS = CallFacts(CallId("c"), "100", "+15550100")
CONTEXT = AgentContext(FACTS, datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
SYSTEM = LlmMessage(LlmRole.SYSTEM, "You answer calls.")
TEXTS = LlmTexts("Hello, how can I help?")


class ScriptedModel:
    """Answers in order; an exception in an answer is raised there."""

    def __init__(self, *answers: list[LlmEvent | Exception]) -> None:
        self.answers = list(answers)
        self.requests: list[LlmRequest] = []

    async def stream(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        self.requests.append(request)
        for event in self.answers.pop(0):
            if isinstance(event, Exception):
                raise event
            yield event
        yield LlmFinished(FinishReason.STOP)


class MemoryLedger:
    """A ledger without a disk."""

    def __init__(self) -> None:
        self.entries: dict[IdempotencyKey, LedgerEntry] = {}

    async def claim(self, intent: ToolIntent) -> Claim:
        known = self.entries.get(intent.key)
        if known is not None:
            return Claim(False, known)
        self.entries[intent.key] = LedgerEntry(intent)
        return Claim(True, self.entries[intent.key])

    async def conclude(self, key: IdempotencyKey, result: ToolResult, at_wall: float) -> None:
        entry = self.entries[key]
        self.entries[key] = LedgerEntry(entry.intent, entry.attempts, result, at_wall)

    async def recover(self, at_wall: float) -> Recovery:
        return Recovery()

    async def close(self) -> None:
        pass


class CountingRunner:
    """A tool's body that counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, request: ToolRequest) -> ToolResult:
        self.runs += 1
        return ToolResult.done({"status": "shipped"})


def session(model: ScriptedModel, *tools: Tool, fallback: LlmSession | None = None) -> LlmSession:
    desk = ToolDesk(MemoryLedger(), SystemClock(), Counters())
    registry = ToolRegistry(tools)
    held = CallTools(FACTS, lambda: registry, desk)
    settings = LlmSettings("en-US", TEXTS, LlmLimits(max_tool_rounds=3))
    return LlmSession(settings, LlmState((SYSTEM,)), model, held, fallback)


def order_tool(runner: CountingRunner, say: str = "") -> Tool:
    schema = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    return make_tool("order_status", "Looks an order up.", schema, runner, say=say)


def take(agent: LlmSession, turn: CallerTurn) -> list[AgentAction]:
    async def run() -> list[AgentAction]:
        return [action async for action in agent.reply(turn, CONTEXT)]

    return asyncio.run(run())


def said(actions: list[AgentAction]) -> list[str]:
    return [action.text for action in actions if isinstance(action, Say)]


def speech(text: str) -> CallerTurn:
    return CallerTurn(TurnKind.SPEECH, text)


def test_the_greeting_needs_no_model() -> None:
    actions = take(session(ScriptedModel()), CallerTurn(TurnKind.CALL_STARTED))
    assert said(actions) == ["Hello, how can I help?"]
    assert isinstance(actions[-1], Gather)


def test_sentences_come_as_they_are_made_and_the_history_grows_at_its_end() -> None:
    model = ScriptedModel(
        [TextDelta("We open at ei"), TextDelta("ght. Anything"), TextDelta(" else I can do?")], [TextDelta("Bye.")]
    )
    agent = session(model)
    take(agent, CallerTurn(TurnKind.CALL_STARTED))
    assert said(take(agent, speech("when do you open"))) == ["We open at eight.", "Anything else I can do?"]
    take(agent, speech("no"))
    first, second = (request.messages for request in model.requests)
    assert second[: len(first)] == first
    assert [m.role for m in second] == [
        LlmRole.SYSTEM,
        LlmRole.ASSISTANT,
        LlmRole.USER,
        LlmRole.ASSISTANT,
        LlmRole.USER,
    ]
    assert second[3].content == "We open at eight. Anything else I can do?"
    assert "when do you open" in second[2].content


def test_what_was_cut_off_is_remembered_as_far_as_it_was_heard() -> None:
    model = ScriptedModel([TextDelta("We open at eight. And we close at six in the evening.")], [TextDelta("Yes.")])
    agent = session(model)
    take(agent, speech("when"))
    agent.heard("We open at eight. And we")
    take(agent, speech("stop"))
    assert model.requests[1].messages[-2].content == "We open at eight. And we …"


def test_a_reply_nobody_heard_leaves_nothing_behind() -> None:
    model = ScriptedModel([TextDelta("We open at eight.")], [TextDelta("Yes.")])
    agent = session(model)
    take(agent, speech("when"))
    agent.heard("")
    take(agent, speech("hello"))
    assert [m.role for m in model.requests[1].messages] == [LlmRole.SYSTEM, LlmRole.USER, LlmRole.USER]


def test_a_tool_runs_once_and_its_result_is_told() -> None:
    runner = CountingRunner()
    call = ToolCallRequested("1", "order_status", '{"order":"4711"}')
    model = ScriptedModel([call], [TextDelta("It is on its way.")])
    actions = take(session(model, order_tool(runner, "Let me look that up.")), speech("where is my order"))
    assert said(actions) == ["Let me look that up.", "It is on its way."]
    assert runner.runs == 1
    assert model.requests[1].messages[-1] == LlmMessage(LlmRole.TOOL, '{"status":"shipped"}', tool_call_id="1")


def test_a_tool_keeps_company_in_the_agents_own_language_only() -> None:
    call = ToolCallRequested("1", "order_status", '{"order":"4711"}')
    for language, company in (("", ["Let me see."]), ("de-DE", [])):
        one = session(ScriptedModel([call], [TextDelta("Gern.")]), order_tool(CountingRunner(), "Let me see."))
        turn = CallerTurn(TurnKind.SPEECH, "where is it", language=language)
        assert said(take(one, turn)) == [*company, "Gern."], "the house has a filler in the caller's language"


def test_the_same_wish_after_a_dropped_reply_is_not_carried_out_again() -> None:
    runner = CountingRunner()
    call = ToolCallRequested("1", "order_status", '{"order":"4711"}')
    model = ScriptedModel([call], [TextDelta("It is")], [call], [TextDelta("It is on its way.")])
    agent = session(model, order_tool(runner))

    async def run() -> None:
        before = agent.checkpoint()
        async for _ in agent.reply(speech("where is my order"), CONTEXT):
            pass
        agent.restore(before)
        async for _ in agent.reply(speech("where is my order please"), CONTEXT):
            pass

    asyncio.run(run())
    assert runner.runs == 1


def test_arguments_that_do_not_fit_go_back_to_the_model() -> None:
    runner = CountingRunner()
    model = ScriptedModel([ToolCallRequested("1", "order_status", "{}")], [TextDelta("Which order?")])
    assert said(take(session(model, order_tool(runner)), speech("where is it"))) == ["Which order?"]
    assert runner.runs == 0
    assert "error" in model.requests[1].messages[-1].content


def test_a_tool_that_ends_the_call_ends_the_reply() -> None:
    hang_up = make_tool("hang_up", "Ends the call.", {"type": "object"}, Action(lambda _arguments: Hangup()))
    model = ScriptedModel([TextDelta("Goodbye then."), ToolCallRequested("1", "hang_up", "{}")])
    assert take(session(model, hang_up), speech("bye"))[-1] == Hangup()


def test_a_model_that_wants_tools_for_ever_is_stopped() -> None:
    runner = CountingRunner()
    calls = [[ToolCallRequested(str(n), "order_status", f'{{"order":"{n}"}}')] for n in range(3)]
    actions = take(session(ScriptedModel(*calls), order_tool(runner)), speech("loop"))
    assert said(actions) == [TEXTS.failed]
    assert isinstance(actions[-1], Gather)


def test_without_a_model_the_scripted_agent_takes_over_and_keeps_the_call() -> None:
    dead = ProviderError("llm", "down", retryable=True)
    fallback = session(ScriptedModel([TextDelta("From the script.")]))
    agent = session(ScriptedModel([dead]), fallback=fallback)
    assert said(take(agent, speech("hello"))) == [TEXTS.failed, TEXTS.greeting]
    assert said(take(agent, speech("again"))) == ["From the script."]


def test_without_model_and_script_the_last_words_are_said() -> None:
    actions = take(session(ScriptedModel([ProviderError("llm", "down", retryable=True)])), speech("hello"))
    assert actions[0] == ServiceMoved("message", "llm: down")
    assert actions[-1] == Hangup(HangupCause.PROVIDERS_DOWN)


def test_an_answer_that_is_torn_is_gone_on_with_and_remembered_as_one() -> None:
    dead = ProviderError("llm", "down", retryable=True)
    model = ScriptedModel(
        [TextDelta("We open at eight. And we cl"), dead],
        [LlmAnswering("spare", "local: died"), TextDelta("We close at six.")],
        [TextDelta("Yes.")],
    )
    agent = session(model)
    actions = take(agent, speech("when"))
    assert said(actions) == ["We open at eight.", "We close at six."]
    assert ServiceMoved("model:spare", "local: died") in actions
    assert [m.content for m in model.requests[1].messages[-2:]] == ["We open at eight.", GO_ON]
    take(agent, speech("sure"))
    assert [m.role for m in model.requests[2].messages] == [
        LlmRole.SYSTEM,
        LlmRole.USER,
        LlmRole.ASSISTANT,
        LlmRole.USER,
    ]
    assert model.requests[2].messages[2].content == "We open at eight. We close at six."


def test_an_answer_that_is_torn_twice_steps_down() -> None:
    dead = ProviderError("llm", "down", retryable=True)
    model = ScriptedModel([TextDelta("One. Two"), dead], [TextDelta("Two. Three"), dead])
    actions = take(session(model), speech("count"))
    assert said(actions)[:2] == ["One.", "Two."]
    assert isinstance(actions[-1], Hangup)


def test_a_prompt_for_silence_does_not_shorten_what_was_heard_before_it() -> None:
    model = ScriptedModel([TextDelta("We open at eight in the morning.")], [TextDelta("Yes.")])
    agent = session(model)
    take(agent, speech("when"))
    agent.heard("We open at eight in the morning.")
    take(agent, CallerTurn(TurnKind.NO_INPUT))
    agent.heard(TEXTS.no_input)
    take(agent, speech("thanks"))
    assert model.requests[1].messages[2].content == "We open at eight in the morning."


def test_who_answers_is_told_once_and_when_the_first_is_back() -> None:
    model = ScriptedModel(
        [LlmAnswering("spare", "local: late"), TextDelta("One.")],
        [LlmAnswering("spare", "local: late"), TextDelta("Two.")],
        [LlmAnswering("local"), TextDelta("Three.")],
    )
    agent = session(model)
    moved = [[a for a in take(agent, speech("go")) if isinstance(a, ServiceMoved)] for _ in range(3)]
    assert moved == [
        [ServiceMoved("model:spare", "local: late")],
        [],
        [ServiceMoved("model:local", "it answers again")],
    ]


def test_silence_is_prompted_and_then_ended() -> None:
    agent = session(ScriptedModel())
    replies = [take(agent, CallerTurn(TurnKind.NO_INPUT)) for _ in range(3)]
    assert said(replies[0]) == [TEXTS.no_input]
    assert isinstance(replies[2][-1], Hangup)
