"""What the turn machine is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from voicegw.base.ids import UtteranceId


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller began to speak at ``onset_at`` seconds; ``paused``: the media worker held the playout already."""

    onset_at: float
    paused: bool


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The caller has just fallen silent, at ``offset_at`` seconds, too shortly ago to be called an end."""

    offset_at: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The caller fell silent at ``offset_at`` seconds."""

    offset_at: float


@dataclass(frozen=True, slots=True)
class PartialHeard:
    """The recogniser's best text of the running utterance. ``complete``: it answers the question in full;
    ``final``: it will not change any more, unless the caller goes on."""

    text: str
    complete: bool
    final: bool = False


@dataclass(frozen=True, slots=True)
class EndOfTurnGuessed:
    """An end-of-turn model's word on the silence that is going on: ``probability`` 0 to 1 that the turn is over."""

    probability: float


@dataclass(frozen=True, slots=True)
class LanguageChanged:
    """The conversation goes on in ``language`` (BCP 47): its back-channels count from now on."""

    language: str


@dataclass(frozen=True, slots=True)
class ListeningChanged:
    """What the agent now waits for. ``no_input_ms`` 0 waits for ever; ``patient``: a number is dictated."""

    no_input_ms: int
    patient: bool


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The agent thinks about something to say (also unasked: the greeting, a re-prompt)."""


@dataclass(frozen=True, slots=True)
class ReplyEmpty:
    """The agent has nothing to say to this turn."""


@dataclass(frozen=True, slots=True)
class UtteranceStarted:
    """The first sample of an utterance left. ``interruptible``: the caller may stop it."""

    utterance_id: UtteranceId
    interruptible: bool


@dataclass(frozen=True, slots=True)
class UtteranceFinished:
    """Everything that was queued has left, or was cut."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key: a clearer interruption than any word."""


@dataclass(frozen=True, slots=True)
class TurnSettled:
    """The turn is decided without speech: the digits are all there, or the recogniser is gone. A reply follows."""


@dataclass(frozen=True, slots=True)
class AgentSuspended:
    """A human has taken over; the agent is silent but goes on listening."""


@dataclass(frozen=True, slots=True)
class AgentResumed:
    """The call is the agent's again."""


TurnEvent: TypeAlias = (
    SpeechStarted
    | SpeechPaused
    | SpeechStopped
    | PartialHeard
    | EndOfTurnGuessed
    | LanguageChanged
    | ListeningChanged
    | ReplyStarted
    | ReplyEmpty
    | UtteranceStarted
    | UtteranceFinished
    | KeyPressed
    | TurnSettled
    | AgentSuspended
    | AgentResumed
)
