"""The dialplan at work: the first route whose conditions all hold decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from voicegw.base.causes import HangupCause
from voicegw.call.consent import RecordingPolicy
from voicegw.dialplan.compile import Announcement, CompiledRoute, RouteRequest


@dataclass(frozen=True, slots=True)
class ToAgent:
    """Answer with this agent, after the ``announcement``, if there is one.

    ``recording`` is the route's own policy, in place of the agent's.
    """

    route: str
    agent: str
    recording: RecordingPolicy | None = None
    announcement: Announcement | None = None


@dataclass(frozen=True, slots=True)
class ToRecorder:
    """Record what is sent to us; ``language`` is spoken in it. ``recording`` as for an agent."""

    route: str
    language: str
    recording: RecordingPolicy | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse with ``sip_status``, after the ``announcement``; ``route`` is empty where no route matched."""

    route: str
    cause: HangupCause
    sip_status: int
    announcement: Announcement | None = None


RouteDecision: TypeAlias = ToAgent | ToRecorder | Reject


@dataclass(frozen=True, slots=True)
class Dialplan:
    """Immutable: a reload makes another one, and calls that run keep theirs."""

    routes: tuple[CompiledRoute, ...]
    file: str = ""

    def route(self, request: RouteRequest) -> RouteDecision:
        """Decide. Never raises; without any match the call is refused with NO_ROUTE."""
        for route in self.routes:
            if next(route.failures(request), None) is None:
                return decision_of(route)
        cause = HangupCause.NO_ROUTE
        return Reject("", cause, cause.value.sip_status)

    @property
    def agents(self) -> frozenset[str]:
        """Names of all agents that routes lead to."""
        return frozenset(route.agent for route in self.routes if route.agent)


def decision_of(route: CompiledRoute) -> RouteDecision:
    """What a route that matched decides."""
    if route.agent:
        return ToAgent(route.name, route.agent, route.recording, route.announcement)
    if route.language:
        return ToRecorder(route.name, route.language, route.recording)
    return Reject(route.name, route.cause, route.sip_status, route.announcement)
