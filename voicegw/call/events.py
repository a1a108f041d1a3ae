"""What the call machine is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId


@dataclass(frozen=True, slots=True)
class CallOffered:
    """An INVITE arrived."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class RouteChosen:
    """The dialplan gives the call to an agent."""

    agent: str


@dataclass(frozen=True, slots=True)
class RouteRefused:
    """The dialplan rejects the call, or has no route for it."""

    cause: HangupCause


@dataclass(frozen=True, slots=True)
class MediaOpened:
    """The media worker has a port for the leg."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class MediaRefused:
    """The media worker has no port, or died before it gave one."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class SessionAgreed:
    """Offer and answer are complete (RFC 3264), now now or after a re-INVITE. ``held``: the peer hears nothing."""

    leg_id: LegId
    held: bool


@dataclass(frozen=True, slots=True)
class LegConfirmed:
    """The ACK of our answer arrived: the caller is listening."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The signalling of the leg is over."""

    leg_id: LegId
    cause: HangupCause


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
    """The server drains: part politely."""


CallEvent: TypeAlias = (
    CallOffered
    | RouteChosen
    | RouteRefused
    | MediaOpened
    | MediaRefused
    | SessionAgreed
    | LegConfirmed
    | LegEnded
    | AgentFinished
    | MediaSilent
    | MediaLost
    | ShutdownRequested
)
