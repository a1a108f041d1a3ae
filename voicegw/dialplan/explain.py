"""Why a call goes where it goes: which route matched and, for each other, why not, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.dialplan.compile import CompiledRoute, RouteRequest
from voicegw.dialplan.match import Dialplan, RouteDecision, ToAgent, ToRecorder, decision_of


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """One route seen by one request. ``reached`` is false for the routes after the one that won."""

    name: str
    line: int
    matched: bool
    reached: bool
    action: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision and what every route had to say."""

    decision: RouteDecision
    checks: tuple[RouteCheck, ...]
    file: str

    def text(self) -> str:
        """Lines for a person."""
        lines = [_decision_line(self.decision)]
        for number, check in enumerate(self.checks, 1):
            mark = "*" if check.matched and check.reached else " "
            lines.append(f" {mark} {number}. {check.name} ({self.file}:{check.line}) {check.action}")
            lines += [f"       {reason}" for reason in check.reasons]
        return "\n".join(lines)


def explain(dialplan: Dialplan, request: RouteRequest) -> Explanation:
    """Run ``request`` through every route; the decision is the one :meth:`Dialplan.route` takes."""
    checks: list[RouteCheck] = []
    reached = True
    for route in dialplan.routes:
        check = _check(route, request, reached)
        checks.append(check)
        reached = reached and not check.matched
    return Explanation(dialplan.route(request), tuple(checks), dialplan.file)


def _check(route: CompiledRoute, request: RouteRequest, reached: bool) -> RouteCheck:
    failures = tuple(route.failures(request))
    if failures:
        reasons = tuple(f"no: {reason}" for reason in failures)
    elif not reached:
        reasons = ("would match too, but a route above it already did",)
    else:
        reasons = ("matches: every condition holds" if route.conditions else "matches: it has no conditions",)
    return RouteCheck(route.name, route.line, not failures, reached, _action(decision_of(route)), reasons)


def _action(decision: RouteDecision) -> str:
    if isinstance(decision, ToRecorder):
        return f"-> record, in {decision.language}"
    announced = " after an announcement" if decision.announcement is not None else ""
    if isinstance(decision, ToAgent):
        return f"-> agent {decision.agent}{announced}"
    return f"-> reject {decision.sip_status} ({decision.cause.value.text}){announced}"


def _decision_line(decision: RouteDecision) -> str:
    if isinstance(decision, ToAgent):
        return f"route '{decision.route}' takes the call: agent {decision.agent}"
    if isinstance(decision, ToRecorder):
        return f"route '{decision.route}' takes the call: it is recorded, and written down in {decision.language}"
    if decision.route:
        return f"route '{decision.route}' rejects the call with {decision.sip_status}"
    return f"no route matches: the call is rejected with {decision.sip_status}"
