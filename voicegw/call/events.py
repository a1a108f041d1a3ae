"""What the call machine is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call.supervision import SupervisorInput
from voicegw.call.transfer_request import TransferRequest


@dataclass(frozen=True, slots=True)
class CallOffered:
    """An INVITE arrived, or (``uri``) we are to call somebody, who is the caller then."""

    leg_id: LegId
    uri: str = ""


@dataclass(frozen=True, slots=True)
class RouteChosen:
    """The dialplan gives the call to an agent. ``early``: it begins before the answer, and says when to answer."""

    agent: str
    early: bool = False


@dataclass(frozen=True, slots=True)
class RouteRefused:
    """The dialplan rejects the call, or has no route for it.

    ``announced``: the caller is told so before the refusal, where they can hear it.
    """

    cause: HangupCause
    announced: bool = False


@dataclass(frozen=True, slots=True)
class MediaOpened:
    """The media worker has a port for the leg."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class MediaRefused:
    """The media worker has no port, or died before it gave one."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class EarlyMediaAgreed:
    """A caller whose call is not answered hears us (RFC 3960)."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class EarlyMediaRefused:
    """A caller cannot be made to hear us before the answer."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class AnswerWanted:
    """The agent, which began before the answer, wants the call answered: what it had to say has been played."""


@dataclass(frozen=True, slots=True)
class SessionAgreed:
    """Offer and answer are complete (RFC 3264), now now or after a re-INVITE. ``held``: the peer hears nothing."""

    leg_id: LegId
    held: bool


@dataclass(frozen=True, slots=True)
class LegConfirmed:
    """The ACK of our answer arrived: the peer is listening."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The signalling of the leg is over. ``sip_status``: of a refused INVITE, else 0."""

    leg_id: LegId
    cause: HangupCause
    sip_status: int = 0


@dataclass(frozen=True, slots=True)
class AgentFinished:
    """The agent wants to end the call and its last words have been played."""

    cause: HangupCause


@dataclass(frozen=True, slots=True)
class MediaSilent:
    """No packet arrived for ``silent_ms`` on a leg that should receive."""

    leg_id: LegId
    silent_ms: int


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The media worker died."""


@dataclass(frozen=True, slots=True)
class ShutdownRequested:
    """The server drains, or has another ``cause`` not to go on: part politely."""

    cause: HangupCause = HangupCause.DRAINING


@dataclass(frozen=True, slots=True)
class TransferRequested:
    """The caller is to be moved. The agent has finished what it had to say."""

    request: TransferRequest


@dataclass(frozen=True, slots=True)
class TransferAbandoned:
    """Whoever asked for the transfer wants it no more; one that has come about stays."""


@dataclass(frozen=True, slots=True)
class LegRinging:
    """The called side of a leg of ours sent a 1xx."""

    leg_id: LegId
    status: int


@dataclass(frozen=True, slots=True)
class LegRedialled:
    """A trunk could not carry a leg of ours, whatever was heard of it so far, and the next one is tried."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class MediaHeard:
    """The first audio of a leg arrived, whether it is answered or not."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class ReferAnswered:
    """The caller's side answered our REFER, with ``status``; 408 when it did not."""

    leg_id: LegId
    status: int


@dataclass(frozen=True, slots=True)
class ReferProgressed:
    """A NOTIFY about the referred call: the status that its INVITE got. ``final``: nothing more will be told."""

    leg_id: LegId
    status: int
    final: bool


@dataclass(frozen=True, slots=True)
class BriefingFinished:
    """The target has heard the summary."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class TonePlayed:
    """A leg that we called has a tone in place of a person; ``cause`` is what that means."""

    leg_id: LegId
    cause: HangupCause


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key on a leg that is not the caller's."""

    leg_id: LegId
    digit: str


@dataclass(frozen=True, slots=True)
class SupervisorOffered:
    """A supervisor's phone calls, or (``uri``) is to be called; ``name`` is who it is."""

    leg_id: LegId
    name: str
    uri: str = ""
    wanted: SupervisorInput = SupervisorInput.LISTEN


@dataclass(frozen=True, slots=True)
class SupervisorDismissed:
    """This supervisor is to leave."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class EndRequested:
    """Somebody of ours wants the call to end now."""

    cause: HangupCause


@dataclass(frozen=True, slots=True)
class SupervisorChose:
    """A supervisor wants another mode, by key or by the API."""

    leg_id: LegId
    happened: SupervisorInput


CallEvent: TypeAlias = (
    CallOffered
    | RouteChosen
    | RouteRefused
    | MediaOpened
    | MediaRefused
    | EarlyMediaAgreed
    | EarlyMediaRefused
    | AnswerWanted
    | SessionAgreed
    | LegConfirmed
    | LegEnded
    | AgentFinished
    | MediaSilent
    | MediaLost
    | ShutdownRequested
    | TransferRequested
    | TransferAbandoned
    | LegRinging
    | LegRedialled
    | MediaHeard
    | ReferAnswered
    | ReferProgressed
    | BriefingFinished
    | KeyPressed
    | TonePlayed
    | SupervisorOffered
    | SupervisorChose
    | SupervisorDismissed
    | EndRequested
)
