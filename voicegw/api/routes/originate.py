"""Making calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import Name, Words, refusals
from voicegw.api.control import CallBarred, OutgoingCall, Refused
from voicegw.api.idempotency import once
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import barred_call, conflict, invalid, not_found

router = APIRouter(prefix="/v1/calls", tags=["calls"])
Caller = Annotated[Visitor, Depends(Allow(Permission.ORIGINATE))]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="the same key twice makes one call",
        examples=["order-4711-reminder"],
    ),
]


class NewCall(BaseModel):
    """A call to make. ``variables``: what the agent starts with."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"to": "+4930123456", "agent": "survey", "variables": {"order": "4711"}}]},
    )

    to: Annotated[str, Field(pattern=r"^[A-Za-z0-9+*#._@:-]{1,256}$")]
    agent: Name
    calling: Words = ""
    trunk: Words = ""
    variables: dict[Name, Words] = Field(default={}, max_length=50)


class CallMade(BaseModel):
    """The call is under way; follow it by its id."""

    call_id: str


@router.post("", status_code=202, responses=refusals(404, 409), summary="Call somebody")
async def originate(
    body: NewCall, parts: PartsDep, visitor: Caller, response: Response, key: IdempotencyKey = None
) -> CallMade:
    """Answers before the phone rings; 403 names the toll rule that does not allow the call. With an
    ``Idempotency-Key``, a repetition makes no second call."""
    if not visitor.who.scope.has_agent(body.agent):
        raise not_found("agent")
    call_id = await once(parts, visitor, key, body.model_dump_json(), lambda: _call(parts, visitor, body))
    response.headers["Location"] = f"/v1/calls/{call_id}"
    return CallMade(call_id=call_id)


async def _call(parts: Parts, visitor: Visitor, body: NewCall) -> str:
    """Note it, then do it."""
    if parts.originator is None:
        raise not_found("way to make calls")
    async with parts.store.read() as unit:
        document = await unit.documents.find("agent", body.agent)
    if document is None or document.published is None:
        raise invalid("agent", f"there is no agent '{body.agent}' in force", "publish it first")
    async with parts.store.write() as unit:
        after = {"to": body.to, "agent": body.agent, "trunk": body.trunk}
        await unit.audit.append(visitor.note("call.originate", "call", "", None, after))
    who = visitor.who
    variables = tuple(body.variables.items())
    call = OutgoingCall(body.to, body.agent, body.calling, body.trunk, variables, who.user_name, who.key_id)
    try:
        return await parts.originator.originate(call)
    except CallBarred as barred:
        why = barred.barred
        async with parts.store.write() as unit:
            after = {"to": body.to, "agent": body.agent, "rule": why.rule, "limit": why.limit}
            await unit.audit.append(visitor.note("call.refuse", "call", "", None, after))
        raise barred_call("to", str(why), why.fix) from None
    except Refused as refused:
        raise conflict(str(refused)) from None
