"""The agent that a language model speaks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from voicegw.agents.agent import Agent, AgentSession, CallFacts, Expectation
from voicegw.agents.ladder_model import ladder_prompts
from voicegw.agents.languages import language_rule, switch_tool
from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.agents.llm_model import LanguageModel, LimitsModel, LlmAgentFile, TextsModel
from voicegw.agents.llm_session import LlmSession
from voicegw.agents.llm_settings import LlmSettings, LlmTexts, LlmTongue, limits_of
from voicegw.agents.llm_state import LlmState
from voicegw.agents.preface import CONSENT, NO_MATCH, Preface, PrefaceSession
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.caller_lookup import check_lookup, look_up
from voicegw.agents.tools.config import CallerLookupConfig, McpToolConfig, ToolConfig
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.having import AlwaysHaving
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.call.consent import RecordingPolicy
from voicegw.ports.llm import Llm, LlmMessage, LlmRequest, LlmRole

PHONE_RULES = (
    "You are speaking on the telephone. Answer in one to three short spoken sentences. "
    "No lists, no markup, no emoji, no stage directions. Ask one question at a time. "
    "An ellipsis at the end of one of your messages means that the caller interrupted you there."
)
"""Goes before every agent's own instructions: what is true of every call."""


class LlmNeeds(Protocol):
    """What an agent, or one step of a script, wants of the house."""

    @property
    def name(self) -> str:
        """Unique in the house."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """Names from the configuration, best first."""
        ...

    @property
    def limits(self) -> LimitsModel:
        """What it may spend, among others."""
        ...

    @property
    def tools(self) -> tuple[ToolConfig, ...]:
        """Its tools."""
        ...


class LlmHouse(Protocol):
    """What LLM agents need of the house; made where adapters may be named."""

    desk: ToolDesk

    def models_of(self, file: LlmNeeds) -> Callable[[], Llm]:
        """A maker of one call's models; raises ConfigError for a name that is not configured."""
        ...

    def tools_of(self, file: LlmNeeds) -> Callable[[], ToolRegistry]:
        """The agent's tools as they are now; those of a server that is down are missing."""
        ...


class LlmAgent:
    """An :class:`~voicegw.agents.agent.Agent`; shared by its calls."""

    def __init__(
        self, file: LlmAgentFile, house: LlmHouse, fallback: Agent | None, lexicon: Lexicons = NO_WORDS
    ) -> None:
        self._file = file
        self.lexicon = lexicon
        self._fallback = fallback
        self._desk = house.desk
        self._models = house.models_of(file)
        tags = {file.language: file.voice} | {tag: one.voice for tag, one in file.languages.items()}
        self.languages: Mapping[str, str] = tags
        own_tools = house.tools_of(file)
        self._tools = AlwaysHaving(own_tools, switch_tool(tags)) if file.languages else own_tools
        self._settings = LlmSettings(
            file.language,
            _texts(file, file.texts),
            limits_of(file.limits),
            file.hints,
            file.ladder,
            {tag: _tongue(file, one) for tag, one in file.languages.items()},
        )
        self._lookups = _lookups(file, own_tools())
        self._preface = _preface(file)
        rules = (
            PHONE_RULES,
            language_rule(file.language, tags) if file.languages else "",
            file.instructions.strip(),
        )
        self._system = LlmMessage(LlmRole.SYSTEM, "\n\n".join(filter(None, rules)))

    @property
    def name(self) -> str:
        """As the dialplan calls it."""
        return self._file.name

    @property
    def language(self) -> str:
        """BCP 47 tag."""
        return self._file.language

    @property
    def voice(self) -> str:
        """The synthesiser's name of the voice."""
        return self._file.voice

    @property
    def recording(self) -> RecordingPolicy:
        """As the file has it; one that asks for consent waits for it unless it says otherwise."""
        asks = self._file.consent is not None
        return RecordingPolicy(self._file.recording or ("after_consent" if asks else "always"))

    @property
    def early(self) -> bool:
        """A model talks with a caller whose call is answered."""
        return False

    def phrases(self) -> tuple[str, ...]:
        """All sentences a caller may say, as far as the file gives some."""
        return self._file.hints

    def expectations(self) -> tuple[Expectation, ...]:
        """See the protocol."""
        own = [Expectation(self._file.hints, ())] if self._file.hints else []
        own += [CONSENT] if self._file.consent is not None else []
        return (*own, *(self._fallback.expectations() if self._fallback is not None else ()))

    def prompts(self, language: str) -> tuple[str, ...]:
        """What it says without a model, what its tools say, and the way down to the last words."""
        tongue = self._settings.tongue(language)
        texts, ladder = tongue.texts, tongue.ladder
        said = [texts.no_input, texts.asr_down, texts.failed, texts.goodbye]
        if language == self.language:
            ladder = self._file.ladder
            said = [self._file.disclosure, self._file.greeting, *said, *self._tools().said]
            said += [self._file.consent.prompt, NO_MATCH] if self._file.consent is not None else []
            said += self._fallback.prompts(self._fallback.language) if self._fallback is not None else ()
        below = ladder_prompts(ladder) if ladder is not None else ()
        return tuple(dict.fromkeys(filter(None, (*said, *below))))

    def beginnings(self) -> Iterator[tuple[str, LlmRequest]]:
        """Its name, and what every call's first request begins with, for warming a server up."""
        yield self.name, LlmRequest((self._system,), self._tools().specs, max_tokens=1)

    def look_up(self, facts: CallFacts) -> Awaitable[Mapping[str, str]] | None:
        """With the tools that its file names for it."""
        return self._ask_who_is_calling(facts) if self._lookups else None

    async def _ask_who_is_calling(self, facts: CallFacts) -> Mapping[str, str]:
        tools = CallTools(facts, self._tools, self._desk)
        callers = await asyncio.gather(*(look_up(one, tools, facts) for one in self._lookups))
        return {told.name: told.value for caller in callers for told in caller.actions}

    def refuses(self, _name: str, _value: str, /) -> str:
        """A model can be told anything: it reads it."""
        return ""

    def open(self, facts: CallFacts) -> AgentSession:
        """Begin a call."""
        tools = CallTools(facts, self._tools, self._desk)
        system = replace(self._system, content=_knowing(self._system.content, facts.known))
        fallback = self._fallback.open(facts) if self._fallback is not None else None
        session = LlmSession(self._settings, LlmState((system,)), self._models(), tools, fallback)
        return PrefaceSession(self._preface, session) if self._preface is not None else session


def _lookups(file: LlmAgentFile, registry: ToolRegistry) -> tuple[CallerLookupConfig, ...]:
    """Raises ConfigError for a tool that does not exist or does more than read; tools of servers come later."""
    found = tuple(tool for tool in file.tools if isinstance(tool, CallerLookupConfig))
    served = any(isinstance(tool, McpToolConfig) for tool in file.tools)
    for one in found:
        if registry.get(one.tool) is not None or not served:
            check_lookup(one, registry)
    return found


def _knowing(rules: str, known: Mapping[str, str]) -> str:
    """At the end, so that what all calls have in common stands before it."""
    lines = "\n".join(f"{name}: {value}" for name, value in known.items())
    return f"{rules}\n\nWhat is known of the caller:\n{lines}" if known else rules


def _preface(file: LlmAgentFile) -> Preface | None:
    """What is said before the model has the call."""
    consent = file.consent
    if consent is None and not file.disclosure:
        return None
    ends = consent is not None and consent.refused == "goodbye"
    question = consent.prompt if consent is not None else ""
    return Preface(file.disclosure, question, file.texts.goodbye if ends else "")


def _texts(file: LlmAgentFile, texts: TextsModel) -> LlmTexts:
    standing = (texts.no_input, texts.asr_down, texts.failed, texts.goodbye, texts.approval, texts.still_asking)
    return LlmTexts(file.greeting, *standing)


def _tongue(file: LlmAgentFile, language: LanguageModel) -> LlmTongue:
    return LlmTongue(_texts(file, language.texts or file.texts), language.hints, language.ladder)
