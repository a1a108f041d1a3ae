"""Where a call would go, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import Name, Words, refusals
from voicegw.api.in_force import in_force
from voicegw.api.parts import PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import not_found, wrong_document
from voicegw.base.errors import ConfigError
from voicegw.dialplan.compile import RouteRequest
from voicegw.dialplan.explain import RouteCheck, explain
from voicegw.dialplan.load import parse_dialplan
from voicegw.dialplan.match import Reject, ToAgent

router = APIRouter(prefix="/v1/route-test", tags=["dialplans"])


class Question(BaseModel):
    """A call that might come; ``recorded``: as a recording session (SIPREC).

    ``text``: a dialplan to try; without it, ``dialplan`` as it is in force.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"called": "100", "calling": "+4930123", "headers": [["X-Brand", "acme"]]}]
        },
    )

    called: Words
    calling: Words = ""
    headers: list[tuple[Words, Words]] = Field(default=[], max_length=50)
    trunk: Words = ""
    original_called: Words = ""
    recorded: bool = False
    verified: Literal["", "passed", "failed", "none"] = ""
    attestation: Literal["", "A", "B", "C"] = ""
    at: AwareDatetime | None = None
    dialplan: Name = "dialplan"
    text: Annotated[str, Field(max_length=1_000_000)] | None = None


class RouteView(BaseModel):
    """What one route has to say about the call."""

    name: str
    line: int
    matched: bool
    reached: bool
    action: str
    reasons: list[str]


class Answer(BaseModel):
    """The decision, and what every route has to say.

    ``agent`` is null where the call is rejected or recorded, ``sip_status`` where it is taken.
    """

    route: str
    agent: str | None
    sip_status: int | None
    text: str
    routes: list[RouteView]


@router.post("", responses=refusals(404), summary="Where would a call go?")
async def route_test(
    body: Question, parts: PartsDep, visitor: Annotated[Visitor, Depends(Allow(Permission.CONFIG_READ))]
) -> Answer:
    """The same code decides that decides for calls. Nobody is called."""
    async with parts.store.read() as unit:
        documents = await in_force(unit)
    if body.text is not None:
        text = body.text
    elif not visitor.who.scope.has_dialplan(body.dialplan) or body.dialplan not in documents.dialplans:
        raise not_found("dialplan")
    else:
        text = documents.dialplans[body.dialplan]
    try:
        dialplan = parse_dialplan(text, f"{body.dialplan}.yaml", None)
    except ConfigError as error:
        raise wrong_document(error) from None
    at = body.at or datetime.fromtimestamp(parts.clock.wall(), UTC)
    request = RouteRequest(
        body.called,
        body.calling,
        at,
        tuple(body.headers),
        body.trunk,
        body.original_called,
        body.recorded,
        body.verified,
        body.attestation,
    )
    explanation = explain(dialplan, request)
    decision = explanation.decision
    return Answer(
        route=decision.route,
        agent=decision.agent if isinstance(decision, ToAgent) else None,
        sip_status=decision.sip_status if isinstance(decision, Reject) else None,
        text=explanation.text(),
        routes=[_view(check) for check in explanation.checks],
    )


def _view(check: RouteCheck) -> RouteView:
    return RouteView(
        name=check.name,
        line=check.line,
        matched=check.matched,
        reached=check.reached,
        action=check.action,
        reasons=list(check.reasons),
    )
