"""An announcement before the answer: of a route whose agent answers then, or of one that refuses the call.

Scripted, so that it is said word for word. In a call that is answered already, because the caller's side can do no
early media, it is what the caller hears first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from voicegw.agents.actions import AgentAction, AnswerCall, Hangup, Say
from voicegw.agents.agent import Agent, AgentContext, AgentSession, CallerTurn, CallFacts, Expectation, TurnKind
from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.base.causes import HangupCause
from voicegw.call.consent import RecordingPolicy
from voicegw.dialplan.compile import Announcement

_BEGIN: Final = CallerTurn(TurnKind.CALL_STARTED)


@dataclass(frozen=True, slots=True)
class RefusalAnnouncer:
    """An :class:`~voicegw.agents.agent.Agent` that tells callers why they are refused, and refuses them."""

    text: str
    cause: HangupCause
    language: str = "en-US"
    voice: str = ""
    name: str = ""
    lexicon: Lexicons = NO_WORDS
    recording: RecordingPolicy = RecordingPolicy.NEVER
    early: bool = True

    @property
    def languages(self) -> Mapping[str, str]:
        """See the protocol."""
        return {self.language: self.voice}

    def phrases(self) -> tuple[str, ...]:
        """Nobody is listened to."""
        return ()

    def expectations(self) -> tuple[Expectation, ...]:
        """See the protocol."""
        return ()

    def prompts(self, language: str) -> tuple[str, ...]:
        """What is announced."""
        return (self.text,) if language == self.language else ()

    def look_up(self, facts: CallFacts) -> None:
        """It is the same for everybody."""

    def refuses(self, _name: str, _value: str, /) -> str:
        """Nobody calls anybody to refuse them."""
        return "it only refuses calls"

    def open(self, _facts: CallFacts) -> AgentSession:
        """Begin a call."""
        return _Refusal(self.text, self.cause)


class _Refusal:
    """Says it, and refuses."""

    collected: Mapping[str, str] = {}
    speculative = False
    tools_version = 0

    def __init__(self, text: str, cause: HangupCause) -> None:
        self._text = text
        self._cause = cause

    def heard(self, text: str) -> None:
        """Nobody asks."""

    def checkpoint(self) -> object:
        """There is nothing to forget."""
        return None

    def restore(self, checkpoint: object) -> None:
        """See the protocol."""

    async def reply(self, _turn: CallerTurn, _context: AgentContext) -> AsyncIterator[AgentAction]:
        """See the protocol."""
        yield Say(self._text, interruptible=False)
        yield Hangup(self._cause)


class AnnouncedAgent:
    """An agent behind an announcement: the call is answered after it, unless the agent itself says when."""

    def __init__(self, text: str, inner: Agent) -> None:
        self._text = text
        self._inner = inner
        self.name, self.language, self.voice = inner.name, inner.language, inner.voice
        self.languages, self.lexicon, self.recording = inner.languages, inner.lexicon, inner.recording
        self.early = True

    def phrases(self) -> tuple[str, ...]:
        """See the protocol."""
        return self._inner.phrases()

    def expectations(self) -> tuple[Expectation, ...]:
        """See the protocol."""
        return self._inner.expectations()

    def prompts(self, language: str) -> tuple[str, ...]:
        """What is announced, and what the agent says."""
        announced = (self._text,) if language == self.language else ()
        return (*announced, *self._inner.prompts(language))

    def look_up(self, facts: CallFacts) -> Awaitable[Mapping[str, str]] | None:
        """See the protocol."""
        return self._inner.look_up(facts)

    def refuses(self, name: str, value: str, /) -> str:
        """See the protocol."""
        return self._inner.refuses(name, value)

    def open(self, facts: CallFacts) -> AgentSession:
        """Begin a call."""
        early = facts.early and self._inner.early
        inner = self._inner.open(replace(facts, early=early))
        return AnnouncedSession(self._text, inner, answers=facts.early and not early)


def announcer(said: Announcement, agent: Agent | None, cause: HangupCause) -> Agent:
    """Who says it: somebody in front of ``agent``, or who refuses with ``cause`` where there is none."""
    if agent is not None:
        return AnnouncedAgent(said.text, agent)
    return RefusalAnnouncer(said.text, cause, said.language, said.voice)


class AnnouncedSession:
    """An :class:`~voicegw.agents.agent.AgentSession` behind an announcement, which ends with the answer or not."""

    def __init__(self, text: str, inner: AgentSession, *, answers: bool) -> None:
        self._text = text
        self._inner = inner
        self._answers = answers
        self._begun = False

    @property
    def speculative(self) -> bool:
        """See the protocol."""
        return self._begun and self._inner.speculative

    @property
    def tools_version(self) -> int:
        """See the protocol."""
        return self._inner.tools_version

    @property
    def collected(self) -> Mapping[str, str]:
        """See the protocol."""
        return self._inner.collected

    def heard(self, text: str) -> None:
        """See the protocol."""
        if self._begun:
            self._inner.heard(text)

    def checkpoint(self) -> object:
        """See the protocol."""
        return self._begun, self._inner.checkpoint()

    def restore(self, checkpoint: object) -> None:
        """See the protocol."""
        assert isinstance(checkpoint, tuple)
        self._begun, inner = checkpoint
        self._inner.restore(inner)

    async def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncIterator[AgentAction]:
        """See the protocol."""
        first, announces = not self._begun, turn.kind is TurnKind.CALL_STARTED and not self._begun
        if announces:
            yield Say(self._text, interruptible=False)
            if self._answers:
                yield AnswerCall()
                return
        self._begun = True
        async for action in self._inner.reply(_BEGIN if first else turn, context):
            yield action
