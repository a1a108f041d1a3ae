"""One call of an agent that a language model speaks for: turns in, sentences and tool calls out, never silence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from voicegw.agents.actions import AgentAction, DtmfPolicy, Gather, Hangup, Say, Transfer
from voicegw.agents.agent import AgentContext, AgentSession, CallerTurn, TurnKind
from voicegw.agents.llm_state import LlmState
from voicegw.agents.sentences import ProseSplitter
from voicegw.agents.tools.call_tools import CallTools, PreparedCall
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ProviderError
from voicegw.ports.llm import (
    Llm,
    LlmFinished,
    LlmRequest,
    LlmRestarted,
    LlmUsage,
    TextDelta,
    ToolCallRequested,
)
from voicegw.ports.tools import ToolResult

KEYS = DtmfPolicy(max_digits=32, terminator="#", inter_digit_ms=2500)


@dataclass(frozen=True, slots=True)
class LlmTexts:
    """What is said without asking a model: what must work when none does."""

    greeting: str
    no_input: str = "Are you still there?"
    asr_down: str = "I am sorry, I cannot hear you at the moment. You can use the keypad."
    failed: str = "I am sorry, I cannot help you with that at the moment."
    goodbye: str = "Goodbye."


@dataclass(frozen=True, slots=True)
class LlmLimits:
    """Bounds of a conversation."""

    max_tool_rounds: int = 4
    """A model that asks for tools again and again is stopped and says what it knows."""
    max_no_input: int = 3
    """Unanswered prompts before the agent says goodbye."""
    no_input_ms: int = 7000
    """Silence before a prompt."""
    max_tokens: int = 400
    """Of one answer: about two minutes of speech."""


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """What all calls of an agent share. ``hints`` help recognisers that take phrases."""

    language: str
    texts: LlmTexts
    limits: LlmLimits = field(default_factory=LlmLimits)
    hints: tuple[str, ...] = ()


class LlmSession:
    """See :class:`voicegw.agents.agent.AgentSession`. ``fallback`` takes the call over when no model answers."""

    def __init__(
        self, settings: LlmSettings, state: LlmState, models: Llm, tools: CallTools, fallback: AgentSession | None
    ) -> None:
        self._settings = settings
        self._state = state
        self._models = models
        self._tools = tools
        self._fallback = fallback
        self._fallen_back = False
        self._done: list[PreparedCall] = []

    @property
    def collected(self) -> Mapping[str, str]:
        """What the scripted fallback understood; a model keeps its knowledge in its messages."""
        return self._fallback.collected if self._fallback is not None and self._fallen_back else {}

    @property
    def speculative(self) -> bool:
        """See the protocol."""
        return not self._fallen_back

    @property
    def tools_version(self) -> int:
        """See the protocol."""
        return self._tools.version

    def heard(self, text: str) -> None:
        """See the protocol."""
        if self._fallen_back and self._fallback is not None:
            self._fallback.heard(text)
        else:
            self._state = replace(self._state, heard=text)

    def checkpoint(self) -> object:
        """See the protocol."""
        inner = self._fallback.checkpoint() if self._fallback is not None else None
        return self._state, self._fallen_back, tuple(self._done), inner

    def restore(self, checkpoint: object) -> None:
        """See the protocol. What tools did stays in their ledger: a wish made again is not carried out again."""
        assert isinstance(checkpoint, tuple)
        self._state, self._fallen_back, done, inner = checkpoint
        self._done = list(done)
        if self._fallback is not None:
            self._fallback.restore(inner)

    async def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncIterator[AgentAction]:
        """See the protocol."""
        if self._fallen_back and self._fallback is not None:
            async for action in self._fallback.reply(turn, context):
                yield action
            return
        fixed = self._without_model(turn)
        if fixed is not None:
            for action in fixed:
                yield action
            return
        self._state = self._state.with_turn(_as_text(turn, context))
        self._tools.settle(self._done)
        self._done = []
        self._tools.begin_reply(self._state.turn)
        try:
            async for action in self._answer(context):
                yield action
        except ProviderError:
            async for action in self._fall_back(context):
                yield action

    # ------------------------------------------------------------ without a model

    def _without_model(self, turn: CallerTurn) -> Sequence[AgentAction] | None:
        texts, limits = self._settings.texts, self._settings.limits
        match turn.kind:
            case TurnKind.CALL_STARTED:
                self._state = self._state.said(texts.greeting)
                return [Say(texts.greeting), self._gather()]
            case TurnKind.NO_INPUT:
                self._state = replace(self._state, no_inputs=self._state.no_inputs + 1)
                if self._state.no_inputs >= limits.max_no_input:
                    return [Say(texts.goodbye), Hangup(HangupCause.NO_INPUT)]
                return [Say(texts.no_input), self._gather()]
            case TurnKind.ASR_DOWN:
                return [Say(texts.asr_down, interruptible=False), self._gather()]
            case TurnKind.SPEECH | TurnKind.DTMF:
                return None

    def _gather(self) -> Gather:
        return Gather(self._settings.hints, (), None, KEYS, self._settings.limits.no_input_ms)

    # ------------------------------------------------------------ with one

    async def _answer(self, context: AgentContext) -> AsyncIterator[AgentAction]:
        """Rounds of speaking and using tools until the model has nothing more to do."""
        for _ in range(self._settings.limits.max_tool_rounds):
            calls: list[ToolCallRequested] = []
            async for say in self._speak(calls):
                yield say
            if not calls:
                yield self._gather()
                return
            results: list[str] = []
            ran: list[PreparedCall] = []
            for call in calls:
                prepared = self._tools.prepare(call)
                if isinstance(prepared, ToolResult):
                    results.append(prepared.content_json)
                    continue
                if self._state.silent and prepared.tool.say:
                    yield self._say(prepared.tool.say)
                if not prepared.may_speculate:
                    await context.committed()
                outcome = await self._tools.run(prepared)
                ran.append(prepared)
                results.append(outcome.result.content_json)
                for action in outcome.actions:
                    yield action
                    if isinstance(action, Hangup | Transfer):
                        return
            self._state = self._state.with_tools(tuple(calls), tuple(results))
            # Only what is in the history from now on: a round that is cut off in its middle is wished for again.
            self._done += ran
        yield Say(self._settings.texts.failed)
        yield self._gather()

    async def _speak(self, calls: list[ToolCallRequested]) -> AsyncIterator[Say]:
        """The words of one round, sentence by sentence; its tool calls are appended to ``calls``."""
        limits = self._settings.limits
        request = LlmRequest(self._state.messages, self._tools.specs, max_tokens=limits.max_tokens)
        splitter = ProseSplitter(self._settings.language)
        stream = self._models.stream(request)
        try:
            async for event in stream:
                match event:
                    case TextDelta(text):
                        for piece in splitter.push(text):
                            yield self._say(piece)
                    case ToolCallRequested():
                        calls.append(event)
                    case LlmRestarted():
                        splitter = ProseSplitter(self._settings.language)
                    case LlmFinished() | LlmUsage():
                        pass
            for piece in splitter.finish():
                yield self._say(piece)
        finally:
            await stream.aclose()

    def _say(self, piece: str) -> Say:
        self._state = self._state.said(piece)
        return Say(piece)

    async def _fall_back(self, context: AgentContext) -> AsyncIterator[AgentAction]:
        """No model answers: the scripted agent takes over for the rest of the call, or a person, or a goodbye."""
        texts = self._settings.texts
        yield Say(texts.failed)
        if self._fallback is None:
            yield Transfer("human", texts.goodbye)
            return
        self._fallen_back = True
        async for action in self._fallback.reply(CallerTurn(TurnKind.CALL_STARTED), context):
            yield action


def _as_text(turn: CallerTurn, context: AgentContext) -> str:
    """The caller's turn as the model reads it. The time stands with the turn, never in the system message."""
    stamp = context.now.strftime("%A %d %B %Y, %H:%M")
    if turn.kind is TurnKind.DTMF:
        return f"[{stamp}] (the caller pressed these keys: {turn.dtmf})"
    return f"[{stamp}] {turn.text or '(something that was not understood)'}"
