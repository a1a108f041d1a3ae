"""What the turn machine asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class BeginRecognition:
    """Open a recognition stream and feed it from shortly before ``onset_at`` on; keep one that is open."""

    onset_at: float


@dataclass(frozen=True, slots=True)
class FinishRecognition:
    """The turn is over: ask for the final text and hand it to the agent. ``offset_at``: end of the speech;
    ``waited_ms``: the silence after it that ended the turn, 0 where the turn was too long."""

    offset_at: float
    waited_ms: int = 0


@dataclass(frozen=True, slots=True)
class AskForFinal:
    """The turn has probably ended: a recogniser whose final text takes long may be asked for it already. If the
    caller goes on, :class:`BeginRecognition` follows, and what was said so far is heard again with the rest."""


@dataclass(frozen=True, slots=True)
class Speculate:
    """The turn has probably ended: prepare the reply to what was heard so far, inaudibly until it has."""


@dataclass(frozen=True, slots=True)
class TakeBackChannel:
    """What passed for a back-channel, ``text`` up to ``offset_at``, was the answer to a question that expects no
    particular words."""

    text: str
    offset_at: float


@dataclass(frozen=True, slots=True)
class DropRecognition:
    """What was heard was no turn (a cough, line noise): throw the stream away."""


@dataclass(frozen=True, slots=True)
class DropReply:
    """The caller went on speaking before the reply was audible: forget the reply, keep their words."""


@dataclass(frozen=True, slots=True)
class PausePlayout:
    """Hold the agent's speech where it is (the media worker had not done it already)."""


@dataclass(frozen=True, slots=True)
class ResumePlayout:
    """It was no interruption: go on from the exact sample."""


class CutReason(Enum):
    """Why the rest of the agent's speech is dropped."""

    SPEECH = "speech"
    KEYPAD = "keypad"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class CutPlayout:
    """Drop the rest of the agent's speech; what was heard is known to the sample."""

    reason: CutReason


@dataclass(frozen=True, slots=True)
class PromptNoInput:
    """The caller said nothing for as long as the agent was willing to wait."""


@dataclass(frozen=True, slots=True)
class ReplyLate:
    """The reply takes too long: say something, so that the line does not sound dead."""


TurnCommand: TypeAlias = (
    BeginRecognition
    | FinishRecognition
    | AskForFinal
    | Speculate
    | TakeBackChannel
    | DropRecognition
    | DropReply
    | PausePlayout
    | ResumePlayout
    | CutPlayout
    | PromptNoInput
    | ReplyLate
)
