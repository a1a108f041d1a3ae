"""Running calls as their facts tell them: what the live list shows and what limits who may see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicegw.api.permissions import Scope
from voicegw.base.ids import CallId
from voicegw.call.facts import (
    AnyFact,
    CallHasEnded,
    CallWasAnswered,
    CallWasHeld,
    CallWasOffered,
    CallWasRouted,
    SupervisorHasLeft,
    SupervisorModeHasChanged,
    ToolWaitsForApproval,
    ToolWasApproved,
    ToolWasRefused,
    ToolWasWithdrawn,
)
from voicegw.call.record import CallRecord
from voicegw.call.risk import CallRisk, Sign


@dataclass(slots=True)
class LiveCall:
    """One running call."""

    call_id: CallId
    started_at: str = ""
    called: str = ""
    calling: str = ""
    route: str = ""
    agent: str = ""
    state: str = "offered"
    held: bool = False
    last_seq: int = -1
    node: str = ""
    """The node that has it; empty: this one."""
    record: CallRecord = field(default_factory=CallRecord)
    risk: CallRisk = field(default_factory=CallRisk)
    waiting: dict[str, ToolWaitsForApproval] = field(default_factory=dict)
    """Tools that wait for a person, by their keys."""
    supervisors: dict[str, str] = field(default_factory=dict)
    """Who takes part, and how."""
    alerts: tuple[Sign, ...] = ()
    """What the last fact made worth telling."""

    def add(self, seq: int, fact: AnyFact) -> None:
        """Take in the next fact."""
        self.last_seq = seq
        self.record.add(fact)
        self.alerts = self.risk.add(fact)
        match fact:
            case CallWasOffered():
                self.started_at, self.called, self.calling = fact.started_at, fact.called, fact.calling
            case CallWasRouted():
                self.route, self.agent = fact.route, fact.agent
            case CallWasAnswered():
                self.state = "active"
            case CallWasHeld():
                self.held = fact.held
            case ToolWaitsForApproval():
                self.waiting[fact.key] = fact
            case ToolWasApproved() | ToolWasRefused() | ToolWasWithdrawn():
                self.waiting.pop(fact.key, None)
            case SupervisorModeHasChanged():
                self.supervisors[fact.name] = fact.mode
            case SupervisorHasLeft():
                self.supervisors.pop(fact.name, None)
            case CallHasEnded():
                self.state = "ended"
            case _:
                pass


class LiveCalls:
    """All running calls, those of other nodes among them."""

    def __init__(self) -> None:
        self._calls: dict[CallId, LiveCall] = {}

    def add(self, call_id: CallId, seq: int, fact: AnyFact, node: str = "") -> LiveCall:
        """Take in a fact and return the call it belongs to; after its last fact the call is forgotten."""
        call = self._calls.get(call_id)
        if call is None:
            call = self._calls[call_id] = LiveCall(call_id, node=node)
        call.add(seq, fact)
        if isinstance(fact, CallHasEnded):
            del self._calls[call_id]
        return call

    def elsewhere(self) -> list[CallId]:
        """Those of other nodes."""
        return [call.call_id for call in self._calls.values() if call.node]

    def get(self, call_id: CallId) -> LiveCall | None:
        """A running call."""
        return self._calls.get(call_id)

    def list(self, scope: Scope) -> list[LiveCall]:
        """Those in scope, the riskiest first, then the oldest."""
        found = [call for call in self._calls.values() if scope.has_call(call.called, call.calling, call.agent)]
        return sorted(found, key=lambda call: -call.risk.points)
