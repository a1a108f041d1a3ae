"""What the call machine asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId


@dataclass(frozen=True, slots=True)
class SendRinging:
    """180 to the caller."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """Get a port for the leg."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class AnswerLeg:
    """200 with our session description."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class RejectLeg:
    """Refuse the INVITE with the cause's SIP status."""

    leg_id: LegId
    cause: HangupCause


@dataclass(frozen=True, slots=True)
class EndLeg:
    """BYE with the cause in a Reason header."""

    leg_id: LegId
    cause: HangupCause


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """Give the leg's port back."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class StartAgent:
    """Open the conversation: the agent speaks first."""

    agent: str


@dataclass(frozen=True, slots=True)
class PartFromCaller:
    """Say goodbye for ``cause``; AgentFinished follows."""

    cause: HangupCause


@dataclass(frozen=True, slots=True)
class StopAgent:
    """Silence the agent and free what it holds."""


@dataclass(frozen=True, slots=True)
class FinishCall:
    """The call is over: close its record."""

    cause: HangupCause


CallCommand: TypeAlias = (
    SendRinging
    | OpenMedia
    | AnswerLeg
    | RejectLeg
    | EndLeg
    | CloseMedia
    | StartAgent
    | PartFromCaller
    | StopAgent
    | FinishCall
)
