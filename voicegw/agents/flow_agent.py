"""The agent that follows a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from voicegw.agents.agent import AgentSession, CallFacts, Expectation
from voicegw.agents.flow import Flow, agent_phrases
from voicegw.agents.flow_llm import Known, LlmStepKit
from voicegw.agents.flow_models import NO_KITS
from voicegw.agents.flow_prompts import flow_prompts
from voicegw.agents.flow_session import FlowSession
from voicegw.agents.given import why_not
from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.call.consent import RecordingPolicy
from voicegw.ports.http import HttpClient
from voicegw.ports.llm import LlmRequest


class FlowAgent:
    """An :class:`~voicegw.agents.agent.Agent` that follows a script."""

    def __init__(
        self,
        flow: Flow,
        http: HttpClient,
        lexicon: Lexicons = NO_WORDS,
        kits: Mapping[int, LlmStepKit] = NO_KITS,
    ) -> None:
        self.flow = flow
        self.lexicon = lexicon
        self._kits = kits
        self._http = http

    @property
    def name(self) -> str:
        """As the dialplan calls it."""
        return self.flow.name

    @property
    def language(self) -> str:
        """BCP 47 tag."""
        return self.flow.script.language

    @property
    def voice(self) -> str:
        """The synthesiser's name of the voice."""
        return self.flow.script.voice

    @property
    def languages(self) -> Mapping[str, str]:
        """See the protocol."""
        others = self.flow.script.languages
        return {self.language: self.voice} | {tag: one.voice or self._voice_of(tag) for tag, one in others.items()}

    def _voice_of(self, language: str) -> str:
        return self.voice if language == self.language else ""

    @property
    def recording(self) -> RecordingPolicy:
        """As the script has it; one that asks for consent waits for it unless it says otherwise."""
        script = self.flow.script
        asks = any(step.consent is not None for step in script.steps)
        return RecordingPolicy(script.recording or ("after_consent" if asks else "always"))

    @property
    def early(self) -> bool:
        """A script that says when to answer, or what to refuse, is followed before the answer."""
        return any(step.answer is not None or step.refuse is not None for step in self.flow.script.steps)

    def phrases(self) -> tuple[str, ...]:
        """All sentences a caller may say."""
        return agent_phrases(self.flow)

    def expectations(self) -> tuple[Expectation, ...]:
        """Every recogniser setting that its questions ask for, to be compiled before the first call."""
        return self.flow.expectations()

    def prompts(self, language: str) -> tuple[str, ...]:
        """Its texts without holes, and what the tools of its models say."""
        tools = (
            [text for kit in self._kits.values() for text in kit.tools().said] if language == self.language else []
        )
        return tuple(dict.fromkeys((*flow_prompts(self.flow.script, language), *tools)))

    def beginnings(self) -> Iterator[tuple[str, LlmRequest]]:
        """Of each step for a model its name in the house, and what its first request begins with."""
        known = Known(self.flow.start_values, {}, self.language)
        for kit in self._kits.values():
            yield kit.name, kit.beginning(known)

    def look_up(self, facts: CallFacts) -> None:
        """A script asks web services in its steps, when the caller is there."""

    def refuses(self, name: str, value: str, /) -> str:
        """A script can be told values of the variables that it declares."""
        return why_not(self.flow.script, name, value)

    def open(self, facts: CallFacts) -> AgentSession:
        """Begin a call."""
        return FlowSession(self.flow, self._http, facts, self._kits)
