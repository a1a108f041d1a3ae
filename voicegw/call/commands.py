"""What the call machine asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call.edges import Edge
from voicegw.call.facts import AnyFact
from voicegw.call.transfer_request import Comfort, TransferFailure, TransferRequest


class Absence(Enum):
    """Why the agent does not talk with the caller."""

    TRANSFER = "transfer"
    SUPERVISOR = "supervisor"
    ANSWER = "answer"
    """It began before the answer, and waits for the caller's side to take notice of that."""


@dataclass(frozen=True, slots=True)
class SendRinging:
    """180 to the caller."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """Get a port for the leg."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class SendEarly:
    """183 with our session description; EarlyMediaAgreed or EarlyMediaRefused follows."""

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
    """Open the conversation: the agent speaks first. ``early``: the call is not answered."""

    agent: str
    early: bool = False


@dataclass(frozen=True, slots=True)
class PartFromCaller:
    """Say goodbye for ``cause``, to whoever the caller talks with as well; AgentFinished follows."""

    cause: HangupCause


@dataclass(frozen=True, slots=True)
class StopAgent:
    """Silence the agent and free what it holds."""


@dataclass(frozen=True, slots=True)
class FinishCall:
    """The call is over: close its record."""

    cause: HangupCause


@dataclass(frozen=True, slots=True)
class ChangeMix:
    """From now on these hear one another, and nobody else."""

    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class SuspendAgent:
    """The agent falls silent until it is resumed for the same reason."""

    absence: Absence


@dataclass(frozen=True, slots=True)
class ResumeAgent:
    """The agent has the caller back; ``failure`` says why a transfer did not come about."""

    absence: Absence
    failure: TransferFailure | None = None


@dataclass(frozen=True, slots=True)
class ReferCaller:
    """Ask the caller's side to call ``uri`` (REFER, RFC 3515), or to take our place on the leg ``replaced``.

    ``headers`` are for its INVITE.
    """

    leg_id: LegId
    uri: str
    replaced: LegId | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DialTarget:
    """Get a port for the request's leg, and tell with MediaOpened."""

    request: TransferRequest


@dataclass(frozen=True, slots=True)
class InviteTarget:
    """The port is there: send the INVITE."""

    request: TransferRequest


@dataclass(frozen=True, slots=True)
class DialLeg:
    """Get a port for a leg to a supervisor or to a caller whom we call, and tell with MediaOpened."""

    leg_id: LegId
    uri: str


@dataclass(frozen=True, slots=True)
class InviteLeg:
    """The port is there: send the INVITE."""

    leg_id: LegId
    uri: str


@dataclass(frozen=True, slots=True)
class ComfortCaller:
    """From now on the waiting caller hears this."""

    comfort: Comfort


@dataclass(frozen=True, slots=True)
class BriefTarget:
    """Say the summary to the target; BriefingFinished follows."""

    leg_id: LegId
    summary: str


@dataclass(frozen=True, slots=True)
class RecordFact:
    """Write it down."""

    fact: AnyFact


CallCommand: TypeAlias = (
    SendRinging
    | OpenMedia
    | SendEarly
    | AnswerLeg
    | RejectLeg
    | EndLeg
    | CloseMedia
    | StartAgent
    | PartFromCaller
    | StopAgent
    | FinishCall
    | ChangeMix
    | SuspendAgent
    | ResumeAgent
    | ReferCaller
    | DialTarget
    | InviteTarget
    | DialLeg
    | InviteLeg
    | ComfortCaller
    | BriefTarget
    | RecordFact
)
