"""One protocol for everything that can talk with a caller: scripted flows now, language models later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from voicegw.agents.actions import AgentAction
from voicegw.agents.lexicon import Lexicons
from voicegw.base.ids import CallId
from voicegw.call.consent import RecordingPolicy


class TurnKind(Enum):
    """What made the agent's turn begin."""

    CALL_STARTED = auto()
    """The caller hears us now; the agent speaks first."""
    ANSWERED = auto()
    """The call is answered, as the agent wanted with AnswerCall."""
    SPEECH = auto()
    """The caller said something: text and confidence."""
    DTMF = auto()
    """The caller pressed keys that make an answer under the policy of the last Gather."""
    NO_INPUT = auto()
    """The caller was silent for ``no_input_ms``."""
    ASR_DOWN = auto()
    """The recogniser failed while listening: the keypad may still work."""
    TRANSFER_FAILED = auto()
    """The agent has the caller back after a Transfer that did not come about; ``text`` says why."""
    HANDED_BACK = auto()
    """A person had the caller and gave them back: go on where the conversation is now."""


@dataclass(frozen=True, slots=True)
class CallerTurn:
    """What the caller did. ``confidence`` 0 to 1 is the recogniser's own.

    ``language``: the caller has changed to this one of the agent's languages; empty where they have not.
    """

    kind: TurnKind
    text: str = ""
    confidence: float = 1.0
    dtmf: str = ""
    language: str = ""


SIGNALLED = frozenset(
    [
        "trunk",
        "caller_name",
        "withheld",
        "original_called",
        "diverted_by",
        "diversion_reason",
        "subaddress",
        "verified",
        "attestation",
        "user_to_user",
    ]
)
"""Variables of every call: the trunk, the caller's name, ``yes`` for a withheld number, whom the caller had
dialled, who sent the call on and why (RFC 5806), the subaddress, the verdict on a signed number, what its signature
attests (once it has passed), User-to-User."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of a call from its signalling. Header names are as received."""

    call_id: CallId
    called: str = ""
    calling: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    """What is known before the first word, by name, as plain text: what the agent was told by whoever ordered the
    call, and what it found out about the caller while it rang."""
    signalled: Mapping[str, str] = field(default_factory=dict)
    """What the signalling says besides, by the names of :data:`SIGNALLED`; "" where it says nothing."""
    early: bool = False
    """The call is not answered yet: the caller hears the agent, who answers with AnswerCall or refuses with Hangup.
    Nothing is heard of the caller before."""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of the conversation as it was heard; what was cut off is not in it."""

    speaker: str
    """``agent`` or ``caller``."""
    text: str


async def already_committed() -> None:
    """A reply that was wanted from its beginning: nothing has to wait."""


@dataclass(frozen=True, slots=True)
class AgentContext:
    """The world at the moment of a turn: the call, its heard history, and the local date and time.

    ``committed`` returns when it is certain that the reply will be heard; until then it is a speculation, which may
    be dropped at any moment (:meth:`AgentSession.restore`). What cannot be taken back waits for it.
    """

    facts: CallFacts
    now: datetime
    history: tuple[HistoryLine, ...] = ()
    notes: tuple[str, ...] = ()
    """All that happened in the call where the agent could not hear it: a supervisor's words, for example."""
    committed: Callable[[], Awaitable[None]] = already_committed


@dataclass(frozen=True, slots=True)
class Expectation:
    """One recogniser setting that a Gather of the agent will ask for; see :class:`voicegw.ports.asr.AsrOptions`."""

    phrases: tuple[str, ...]
    boost: tuple[str, ...]


class AgentSession(Protocol):
    """One agent in one call. Not safe for concurrent replies: the next begins when the last ended or was closed."""

    def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncIterator[AgentAction]:
        """The actions that answer ``turn``, the last a Gather, a Transfer, a Hangup or an AnswerCall. Never raises.

        Closing the iterator early (the caller barged in) is allowed at any point. Nothing outside the call changes
        before ``context.committed()`` has returned: no tool, no web service that does more than read.
        """
        ...

    def heard(self, text: str) -> None:
        """Tell what the caller really heard of the last reply; the whole text if nothing was cut."""
        ...

    def checkpoint(self) -> object:
        """What :meth:`restore` needs to forget everything that comes after this moment."""
        ...

    def restore(self, checkpoint: object) -> None:
        """Forget the replies made since: the caller went on speaking before any of them was audible, and the turn
        will come again with more words."""
        ...

    @property
    def speculative(self) -> bool:
        """Whether a reply to speech may be prepared before the turn is over: it takes long, and depends on nothing
        but the words."""
        ...

    @property
    def tools_version(self) -> int:
        """Changes when the agent has other tools: a reply made with the old ones is not the reply any more."""
        ...

    @property
    def collected(self) -> Mapping[str, str]:
        """What was understood so far, by variable, as plain text (dates and times in ISO 8601)."""
        ...


class Agent(Protocol):
    """A configured agent; shared by its calls and immutable."""

    @property
    def name(self) -> str:
        """As the dialplan calls it."""
        ...

    @property
    def language(self) -> str:
        """BCP 47 tag of what it speaks and hears."""
        ...

    @property
    def voice(self) -> str:
        """The TTS engine's name of its voice, empty for the default."""
        ...

    @property
    def languages(self) -> Mapping[str, str]:
        """All that it speaks in a call, its own included, each with its voice."""
        ...

    @property
    def lexicon(self) -> Lexicons:
        """How it pronounces names and house words."""
        ...

    @property
    def recording(self) -> RecordingPolicy:
        """When its calls are recorded, unless their route says something else."""
        ...

    @property
    def early(self) -> bool:
        """Whether it begins before the answer, and says itself when the call is to be answered, if at all."""
        ...

    def phrases(self) -> tuple[str, ...]:
        """All sentences a caller may say, in plain lower-case words: the domain language model."""
        ...

    def expectations(self) -> tuple[Expectation, ...]:
        """Every recogniser setting its Gathers may ask for, so that models can be made before the first call."""
        ...

    def prompts(self, language: str) -> tuple[str, ...]:
        """What it says to everybody in this one of its languages, word for word, the greeting first: made ahead."""
        ...

    def look_up(self, facts: CallFacts) -> Awaitable[Mapping[str, str]] | None:
        """Find out who is calling, within a time of its own, before the call is answered; None for nothing to do.

        What comes of it is in the ``known`` of the facts that the call begins with.
        """
        ...

    def refuses(self, name: str, value: str, /) -> str:
        """Why a call that is ordered may not tell the agent this, for people; empty where it may."""
        ...

    def open(self, facts: CallFacts) -> AgentSession:
        """Begin a call."""
        ...
