"""One call of an agent that a language model speaks for: turns in, sentences and tool calls out, never silence."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from voicegw.agents.actions import (
    AgentAction,
    DtmfPolicy,
    Gather,
    Hangup,
    Say,
    ServiceMoved,
    StepFinished,
    SwitchLanguage,
    ToolFailed,
    ToolJudged,
    ToolWaits,
    Transfer,
)
from voicegw.agents.agent import AgentContext, AgentSession, CallerTurn, TurnKind
from voicegw.agents.dictation import asks_to_dictate
from voicegw.agents.ladder import Ladder, LadderTexts
from voicegw.agents.ladder_model import LadderModel
from voicegw.agents.llm_settings import LlmSettings, LlmTexts, LlmTongue
from voicegw.agents.llm_state import LlmState
from voicegw.agents.sentences import ProseSplitter
from voicegw.agents.tools.call_tools import CallTools, PreparedCall
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ProviderError
from voicegw.ports.llm import (
    Llm,
    LlmAnswering,
    LlmFinished,
    LlmMessage,
    LlmRequest,
    LlmRestarted,
    LlmRole,
    LlmUsage,
    TextDelta,
    ToolCallRequested,
)
from voicegw.ports.tools import ToolResult, ToolStatus

COMPANY_S = 9.0
"""A caller who waits for a person's approval hears a word this often."""
KEYS = DtmfPolicy(max_digits=32, terminator="#", inter_digit_ms=2500)
GO_ON = "(A fault cut you off after these words. Go on from there, and do not begin again.)"
"""To the model that takes over in the middle of an answer, part of which the caller has heard."""


class LlmSession:
    """See :class:`voicegw.agents.agent.AgentSession`. ``fallback`` is the script of its :class:`Ladder`."""

    def __init__(
        self, settings: LlmSettings, state: LlmState, models: Llm, tools: CallTools, fallback: AgentSession | None
    ) -> None:
        self._settings = settings
        self._state = state
        self._models = models
        self._tools = tools
        self._fallback = fallback
        self._ladders = {settings.language: _ladder(settings.ladder, settings.texts, settings, fallback)}
        for tag, tongue in settings.languages.items():
            if tongue.ladder is not None:
                self._ladders[tag] = _ladder(tongue.ladder, tongue.texts, settings, None)
        self._done: list[PreparedCall] = []
        self._preceding: tuple[str, ...] = ()

    @property
    def collected(self) -> Mapping[str, str]:
        """What the script understood; a model keeps its knowledge in its messages."""
        return self._fallback.collected if self._fallback is not None else {}

    @property
    def speculative(self) -> bool:
        """See the protocol."""
        return not self._ladder.serves

    @property
    def tools_version(self) -> int:
        """See the protocol."""
        return self._tools.version

    def heard(self, text: str) -> None:
        """See the protocol."""
        if script := self._ladder.scripted:
            script.heard(text)
        elif not self._ladder.serves:
            self._state = replace(self._state, heard=text)

    def checkpoint(self) -> object:
        """See the protocol."""
        inner = self._fallback.checkpoint() if self._fallback is not None else None
        places = tuple(ladder.place for ladder in self._ladders.values())
        return self._state, places, tuple(self._done), inner

    def restore(self, checkpoint: object) -> None:
        """See the protocol. What tools did stays in their ledger: a wish made again is not carried out again."""
        match checkpoint:
            case (LlmState() as state, tuple() as places, tuple() as done, inner):
                self._state, self._done = state, list(done)
                for ladder, place in zip(self._ladders.values(), places, strict=True):
                    ladder.place = place
                if self._fallback is not None:
                    self._fallback.restore(inner)

    def go_on_from(self, said: Sequence[str]) -> None:
        """The greeting, which comes next, follows on these words of somebody else in the same reply: they count as
        its own, and what :meth:`heard` is told begins with them."""
        self._preceding = tuple(said)

    def settle(self) -> None:
        """What its tools did is certain and remembered: an equal wish of a later conversation is a new one."""
        self._tools.settle(self._done)
        self._done = []

    async def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        """See the protocol."""
        self._state = self._state.settled()
        ladder = self._ladder
        for moved in ladder.hear(turn):
            yield moved
        if ladder.serves:
            replies = self._below_models(ladder.reply(turn, context))
        elif ladder.given_up_hearing:
            replies = self._below_models(ladder.step_down("nobody could hear the caller", context))
        else:
            replies = self._as_model(turn, context)
        async with aclosing(replies) as actions:
            async for action in actions:
                yield action

    @property
    def _ladder(self) -> Ladder:
        """That of the call's language, or the agent's own."""
        return self._ladders.get(self._language) or self._ladders[self._settings.language]

    async def _below_models(self, replies: AsyncGenerator[AgentAction, None]) -> AsyncGenerator[AgentAction, None]:
        """Said in the language in which it is written."""
        written_in = "" if self._language in self._ladders else self._settings.language
        async with aclosing(replies) as actions:
            async for action in actions:
                yield replace(action, language=written_in) if isinstance(action, Say) and written_in else action

    async def _as_model(self, turn: CallerTurn, context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        if turn.language:
            yield self._switched(SwitchLanguage(turn.language))
        fixed = self._without_model(turn)
        if fixed is not None:
            for action in fixed:
                yield action
            return
        text = _as_text(turn, context, context.notes[self._state.notes :])
        self._state = self._state.with_turn(text, self._settings.limits.max_history_tokens)
        self._state = replace(self._state, notes=len(context.notes))
        self.settle()
        self._tools.begin_reply(self._state.turn)
        try:
            async with aclosing(self._answer(context)) as answer:
                async for action in answer:
                    yield action
            return
        except ProviderError as error:
            reason = str(error)
        if self._language not in self._ladders:
            # What stands below the models is written in the agent's own language.
            yield self._switched(SwitchLanguage(self._settings.language))
        async with aclosing(self._ladder.step_down(reason, context)) as steps:
            async for action in steps:
                yield action

    # ------------------------------------------------------------ without a model

    def _without_model(self, turn: CallerTurn) -> Sequence[AgentAction] | None:
        texts, limits = self._tongue.texts, self._settings.limits
        match turn.kind:
            case TurnKind.CALL_STARTED | TurnKind.ANSWERED:
                for said in (*self._preceding, texts.greeting):
                    self._state = self._state.said(said)
                self._preceding = ()
                return [Say(texts.greeting), self._gather()]
            case TurnKind.NO_INPUT:
                self._state = replace(self._state, no_inputs=self._state.no_inputs + 1)
                if self._state.no_inputs >= limits.max_no_input:
                    return [Say(texts.goodbye), Hangup(HangupCause.NO_INPUT)]
                return [Say(texts.no_input), self._gather()]
            case TurnKind.ASR_DOWN:
                return [Say(texts.asr_down, interruptible=False), self._gather()]
            case TurnKind.SPEECH | TurnKind.DTMF | TurnKind.TRANSFER_FAILED | TurnKind.HANDED_BACK:
                return None

    def _gather(self, *, patient: bool = False) -> Gather:
        return Gather(self._tongue.hints, (), None, KEYS, self._settings.limits.no_input_ms, patient)

    # ------------------------------------------------------------ with one

    async def _answer(self, context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        """Rounds of speaking and using tools until the model has nothing more to do; raises ProviderError."""
        torn = False
        rounds = 0
        while rounds < self._settings.limits.max_tool_rounds:
            calls: list[ToolCallRequested] = []
            try:
                async with aclosing(self._speak(calls, torn=torn)) as words:
                    async for action in words:
                        yield action
            except ProviderError:
                if torn or not self._state.pieces:
                    raise
                torn = True
                continue
            if not calls:
                yield self._gather(patient=asks_to_dictate(" ".join(self._state.pieces), self._language))
                return
            rounds += 1
            finished = False
            async with aclosing(self._use_tools(calls, context)) as effects:
                async for action in effects:
                    yield action
                    if isinstance(action, Hangup | Transfer):
                        return
                    finished = finished or isinstance(action, StepFinished)
            if finished:
                return
        yield Say(self._tongue.texts.failed)
        yield self._gather()

    async def _use_tools(
        self, calls: Sequence[ToolCallRequested], context: AgentContext
    ) -> AsyncGenerator[AgentAction, None]:
        """Run them one by one, in the order in which the model asked."""
        results: list[str] = []
        ran: list[PreparedCall] = []
        for call in calls:
            prepared = self._tools.prepare(call)
            if isinstance(prepared, ToolResult):
                results.append(prepared.content_json)
                continue
            if self._state.silent and prepared.tool.say and self._language == self._settings.language:
                yield self._say(prepared.tool.say)
            if not prepared.may_speculate:
                await context.committed()
            if prepared.tool.approval_s:
                async with aclosing(self._await_approval(prepared)) as company:
                    async for action in company:
                        yield action
            outcome = await self._tools.run(prepared)
            if outcome.result.status is not ToolStatus.DONE and not prepared.tool.approval_s:
                yield ToolFailed(prepared.call.name, outcome.result.status.value)
            ran.append(prepared)
            results.append(outcome.result.content_json)
            for action in outcome.actions:
                yield self._switched(action) if isinstance(action, SwitchLanguage) else action
        self._state = self._state.with_tools(tuple(calls), tuple(results))
        # Only what is in the history from now on: a round that is cut off in its middle is wished for again.
        self._done += ran

    async def _await_approval(self, prepared: PreparedCall) -> AsyncGenerator[AgentAction, None]:
        """Keep the caller company until somebody has decided; a wish that is decided needs nobody."""
        asked, texts = self._tools.ask(prepared), self._tongue.texts
        if asked.verdict is not None:
            return
        key, name = prepared.key, prepared.call.name
        yield self._say(texts.approval)
        with asked:
            yield ToolWaits(key, name, prepared.written, asked.left_s)
            while (verdict := await asked.wait(COMPANY_S)) is None:
                yield self._say(texts.still_asking)
        yield ToolJudged(key, name, verdict.approved, verdict.by, verdict.reason)

    async def _speak(self, calls: list[ToolCallRequested], *, torn: bool) -> AsyncGenerator[AgentAction, None]:
        """The words of one round, sentence by sentence; its tool calls are appended to ``calls``."""
        splitter = ProseSplitter(self._language)
        async with aclosing(self._models.stream(self._request(torn=torn))) as events:
            async for event in events:
                match event:
                    case LlmAnswering(provider, instead_of):
                        if moved := self._answered_by(provider, instead_of):
                            yield moved
                    case TextDelta(text):
                        for piece in splitter.push(text):
                            yield self._say(piece)
                    case ToolCallRequested():
                        calls.append(event)
                    case LlmRestarted():
                        splitter = ProseSplitter(self._language)
                    case LlmFinished() | LlmUsage():
                        pass
        for piece in splitter.finish():
            yield self._say(piece)

    def _request(self, *, torn: bool) -> LlmRequest:
        messages = self._state.messages
        if torn:
            said = LlmMessage(LlmRole.ASSISTANT, " ".join(self._state.pieces))
            messages = (*messages, said, LlmMessage(LlmRole.USER, GO_ON))
        return LlmRequest(messages, self._tools.specs, max_tokens=self._settings.limits.max_tokens)

    def _answered_by(self, provider: str, instead_of: str) -> ServiceMoved | None:
        """For the record, where it is another model than the last time."""
        if provider == self._state.model:
            return None
        self._state = replace(self._state, model=provider)
        return ServiceMoved(f"model:{provider}", instead_of or "it answers again")

    @property
    def _language(self) -> str:
        return self._state.language or self._settings.language

    @property
    def _tongue(self) -> LlmTongue:
        return self._settings.tongue(self._language)

    def _switched(self, action: SwitchLanguage) -> SwitchLanguage:
        self._state = replace(self._state, language=action.language)
        return action

    def _say(self, piece: str) -> Say:
        self._state = self._state.said(piece)
        return Say(piece, language=self._state.language)


def _ladder(model: LadderModel, texts: LlmTexts, settings: LlmSettings, script: AgentSession | None) -> Ladder:
    return Ladder(model, LadderTexts(texts.failed, texts.asr_down), settings.limits.no_input_ms, script)


def _as_text(turn: CallerTurn, context: AgentContext, notes: Sequence[str]) -> str:
    """The turn as the model reads it, after what happened outside of its hearing.

    The time stands with the turn, never in the system message.
    """
    stamp = context.now.strftime("%A %d %B %Y, %H:%M")
    return "\n".join([*(f"({note})" for note in notes), f"[{stamp}] {_words(turn)}"])


def _words(turn: CallerTurn) -> str:
    match turn.kind:
        case TurnKind.DTMF:
            return f"(the caller pressed these keys: {turn.dtmf})"
        case TurnKind.TRANSFER_FAILED:
            return f"(the transfer failed: {turn.text}; the caller is with you again, tell them)"
        case TurnKind.HANDED_BACK:
            return "(a colleague who had the caller has given them back to you: go on from here)"
        case _:
            changed = f"(the caller speaks {turn.language} now: answer in it) " if turn.language else ""
            return f"{changed}{turn.text or '(something that was not understood)'}"
