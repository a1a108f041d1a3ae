"""A step of a script that a language model leads: what every call shares of it, and one run of it in one call.

The model ends the step by calling a tool with an outcome and the values it found out; values that the script's own
kinds of answers would refuse are refused, with the reason, and the model asks the caller again. Below the models
there is no ladder of the step's own: whatever goes wrong, the script goes on at ``on_failure``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

from voicegw.agents.actions import AgentAction, Concealing, Gather, Say, ServiceMoved, StepFinished
from voicegw.agents.agent import AgentContext, CallerTurn, CallFacts, TurnKind
from voicegw.agents.entities.slot import Slot, Value
from voicegw.agents.flow_llm_model import LlmStep
from voicegw.agents.flow_model import FlowFile
from voicegw.agents.languages import language_rule, switch_tool
from voicegw.agents.llm_agent import PHONE_RULES, LlmHouse
from voicegw.agents.llm_model import LimitsModel
from voicegw.agents.llm_session import LlmSession
from voicegw.agents.llm_settings import LlmSettings, LlmTexts, LlmTongue, limits_of
from voicegw.agents.llm_state import LlmState
from voicegw.agents.slot_values import checked_value, value_schema
from voicegw.agents.slots import build_slot
from voicegw.agents.template import Variables
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.canonical import JsonObject
from voicegw.agents.tools.config import ToolConfig
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.having import AlwaysHaving
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Action, Tool, make_tool
from voicegw.ports.llm import Llm, LlmMessage, LlmRequest, LlmRole
from voicegw.ports.tools import ToolEffect

FINISH = "finish_step"
FAILED = ""
"""The outcome of a step that no model could finish; no file can name it."""
WAITING = "(The caller is on the line and waits for you to speak.)"
"""To a model that has to begin where the caller has said nothing."""


@dataclass(frozen=True, slots=True)
class StepNeeds:
    """See :class:`voicegw.agents.llm_agent.LlmNeeds`."""

    name: str
    models: tuple[str, ...]
    limits: LimitsModel
    tools: tuple[ToolConfig, ...]


class LlmStepKit:
    """What all calls share of one step. Raises ConfigError for a model or a tool that cannot be."""

    def __init__(self, name: str, step: LlmStep, script: FlowFile, house: LlmHouse) -> None:
        needs = StepNeeds(name, step.models, step.limits, step.tools)
        self.name = name
        self.step = step
        self.script = script
        self.desk: ToolDesk = house.desk
        self.models: Callable[[], Llm] = house.models_of(needs)
        self.tools: Callable[[], ToolRegistry] = house.tools_of(needs)
        self.slots: Mapping[str, Slot] = {key: build_slot(slot) for key, slot in step.collect.items()}
        own = [script.language] if script.languages else []
        self.languages = tuple(dict.fromkeys([*own, *script.languages]))
        self.tools().having(*self.own_tools(lambda: datetime.min))

    def rules(self, known: Known) -> str:
        """What the model is told to do."""
        languages = language_rule(known.language, self.languages) if self.languages else ""
        parts = (PHONE_RULES, languages, self.step.instructions.plain(known.variables).strip())
        return "\n\n".join(filter(None, parts))

    def beginning(self, known: Known) -> LlmRequest:
        """What the first request of the step begins with, for warming a server up."""
        tools = self.tools().having(*self.own_tools(lambda: datetime.min))
        return LlmRequest((LlmMessage(LlmRole.SYSTEM, self.rules(known)),), tools.specs, max_tokens=1)

    def own_tools(self, now: Callable[[], datetime]) -> tuple[Tool, ...]:
        """Those that every such step has."""
        switch = (switch_tool(self.languages),) if self.languages else ()
        return (self.finish_tool(now), *switch)

    def finish_tool(self, now: Callable[[], datetime]) -> Tool:
        """The tool by which the model gives the conversation back."""
        step = self.step

        def make(arguments: JsonObject) -> AgentAction:
            outcome = str(arguments["outcome"])
            values = self._values(arguments, now())
            if missing := [name for name in step.until[outcome].needs if name not in values]:
                raise ValueError(f"'{outcome}' needs {', '.join(missing)}: find that out first")
            return StepFinished(outcome, values)

        outcomes = "\n".join(f"{name}: {one.description}".rstrip(": ") for name, one in step.until.items())
        properties = {key: value_schema(slot, slot.description) for key, slot in step.collect.items()}
        schema = {
            "type": "object",
            "properties": {
                "outcome": {"type": "string", "enum": list(step.until), "description": outcomes},
                **properties,
            },
            "required": ["outcome"],
            "additionalProperties": False,
        }
        told = "Ends your part of the call as soon as one of the outcomes is reached. Do not say goodbye before."
        # It changes nothing outside of the call, and belongs to the reply that asks for it.
        return make_tool(FINISH, told, schema, Action(make), effect=ToolEffect.NONE)

    def _values(self, arguments: JsonObject, now: datetime) -> dict[str, Value]:
        """Raises ValueError with everything that is wrong."""
        values: dict[str, Value] = {}
        problems: list[str] = []
        for name, slot in self.slots.items():
            try:
                value = checked_value(self.step.collect[name], slot, arguments.get(name), now)
            except ValueError as error:
                problems.append(f"{name}: {error}")
                continue
            if value is not None:
                values[name] = value
        if problems:
            raise ValueError("; ".join(problems))
        return values


@dataclass(frozen=True, slots=True)
class Known:
    """Where the script stands when it hands a step over."""

    variables: Variables
    collected: Mapping[str, str]
    language: str


class LlmStepRun:
    """The step in one call, from the moment the script came to it. Its last action may be a StepFinished."""

    def __init__(
        self, kit: LlmStepKit, tools: StepTools, known: Known, turn: CallerTurn, context: AgentContext
    ) -> None:
        self._kit = kit
        self._tools = tools
        self._turns = 0
        self._turn = turn
        script, step = kit.script, kit.step
        self._opening = step.say.spoken(known.variables, known.language) if step.say is not None else ""
        limits = replace(limits_of(step.limits), max_no_input=script.limits.max_no_input)
        languages = {tag: LlmTongue(self._texts(tag, known), step.hints) for tag in kit.languages}
        texts = self._texts(known.language, known)
        spoken = [tongue.texts for tongue in languages.values()]
        settings = LlmSettings(known.language, texts, limits, step.hints, languages=languages)
        messages = _beginning(kit.rules(known), known.collected, context)
        if self._opening and turn.text:
            messages.append(LlmMessage(LlmRole.USER, turn.text))
        tools.serve(kit)
        self._scripted = {self._opening, *(said for one in (texts, *spoken) for said in one.all)}
        self._session = LlmSession(settings, LlmState(tuple(messages)), kit.models(), tools.held, None)

    def _texts(self, language: str, known: Known) -> LlmTexts:
        texts = self._kit.script.texts_in(language)
        standing = (texts.no_input, texts.asr_down, texts.no_match, texts.goodbye)
        return LlmTexts(self._opening, *(text.spoken(known.variables, language) for text in standing))

    @property
    def speculative(self) -> bool:
        """See :class:`voicegw.agents.agent.AgentSession`."""
        return self._session.speculative

    @property
    def tools_version(self) -> int:
        """See :class:`voicegw.agents.agent.AgentSession`."""
        return self._session.tools_version

    def heard(self, text: str) -> None:
        """What the caller heard of the words of this step in the last reply."""
        self._session.heard(text)

    def checkpoint(self) -> object:
        """What :meth:`restore` needs."""
        return self._turns, self._session.checkpoint()

    def restore(self, checkpoint: object) -> None:
        """As if the replies since had not been."""
        match checkpoint:
            case (int() as turns, inner):
                self._turns = turns
                self._tools.serve(self._kit)
                self._session.restore(inner)

    def settle(self) -> None:
        """The step is over for good."""
        self._session.settle()

    def begin(self, said: Sequence[str], context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        """The first reply: the opening, or the model's answer to the turn that made the script come here.

        ``said`` is what the script says in the same reply before it.
        """
        turn = self._turn
        if self._opening:
            self._session.go_on_from(said)
            return self._passed_on(CallerTurn(TurnKind.CALL_STARTED), context)
        spoken = turn.kind in (TurnKind.SPEECH, TurnKind.DTMF)
        words = turn.text if turn.kind is TurnKind.SPEECH else turn.dtmf
        text = words if spoken else WAITING
        if said:
            text = f"{text}\n(You have just said: {' '.join(said)} Go on from there.)"
        return self._passed_on(CallerTurn(TurnKind.SPEECH, text, turn.confidence), context)

    def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        """Answer a turn of the caller."""
        if turn.kind in (TurnKind.SPEECH, TurnKind.DTMF):
            self._turns += 1
            if self._turns > self._kit.step.max_turns:
                return _given_up(f"no outcome in {self._kit.step.max_turns} turns")
        return self._passed_on(turn, context)

    async def _passed_on(self, turn: CallerTurn, context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        self._tools.now = context.now
        async with aclosing(self._session.reply(turn, context)) as actions:
            async for action in actions:
                if isinstance(action, ServiceMoved) and action.to.partition(":")[0] != "model":
                    yield ServiceMoved("script", action.reason)
                    yield StepFinished(FAILED)
                    return
                for told in self._confidential(action):
                    yield told

    def _confidential(self, action: AgentAction) -> Iterator[AgentAction]:
        """In a step that finds out something sensitive nothing is written down but the words of the script."""
        if self._kit.step.sensitive and isinstance(action, Gather):
            yield replace(action, sensitive=True)
            return
        if self._kit.step.sensitive and isinstance(action, Say) and action.text not in self._scripted:
            yield Concealing(action.text)
        yield action


class StepTools:
    """The tools of one scripted call: those of the step that is under way, with one memory of wishes for all."""

    def __init__(self, facts: CallFacts, kit: LlmStepKit) -> None:
        self.now = datetime.min
        self._current = self._of(kit)
        self.held = CallTools(facts, lambda: self._current(), kit.desk)

    def serve(self, kit: LlmStepKit) -> None:
        """From the next reply on, the tools of this step."""
        self._current = self._of(kit)

    def _of(self, kit: LlmStepKit) -> AlwaysHaving:
        return AlwaysHaving(kit.tools, *kit.own_tools(lambda: self.now))


async def _given_up(reason: str) -> AsyncGenerator[AgentAction, None]:
    yield ServiceMoved("script", reason)
    yield StepFinished(FAILED)


def _beginning(rules: str, collected: Mapping[str, str], context: AgentContext) -> list[LlmMessage]:
    """Rules, what is known, and the conversation so far as it was heard."""
    if collected:
        known = "\n".join(f"{name}: {value}" for name, value in collected.items())
        rules = f"{rules}\n\nWhat the caller has told so far:\n{known}"
    roles = {"agent": LlmRole.ASSISTANT, "caller": LlmRole.USER}
    heard = [LlmMessage(roles[line.speaker], line.text) for line in context.history if line.text]
    return [LlmMessage(LlmRole.SYSTEM, rules), *heard]
