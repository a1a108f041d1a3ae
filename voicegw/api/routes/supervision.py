"""Taking part in running calls: listen, whisper, barge, take over, hand back; end, move, approve.

Each deed is noted before it is done: nobody listens without a trace. One that was refused leaves a second row.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import Id, refusals
from voicegw.api.control import CallControl, Mode, NoSuchCall, Refused, Supervisor, TransferKind
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import conflict, not_found
from voicegw.api.routes.live import live_call
from voicegw.base.ids import CallId

router = APIRouter(prefix="/v1/live/calls/{call_id}", tags=["supervision"])
Supervising = Annotated[Visitor, Depends(Allow(Permission.SUPERVISE))]
Target = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+*#._@:;=-]{1,256}$")]
ToolCall = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]


class SupervisionBody(BaseModel):
    """``address``: the SIP URI of the supervisor's phone, which is called, or ``webrtc`` for a browser."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"mode": "listen", "address": "sip:201@10.0.0.7"}]}
    )

    mode: Mode
    address: Target


class WhisperBody(BaseModel):
    """What the agent is told; the caller does not hear it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "Offer a refund."}]})

    text: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class TransferBody(BaseModel):
    """Where the caller is moved to. ``attended``: whoever answers is told first what it is about."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"target": "+4930999", "kind": "attended"}]}
    )

    target: Target
    kind: TransferKind = TransferKind.BLIND


class ApprovalBody(BaseModel):
    """The answer to a tool that waits for a human."""

    model_config = ConfigDict(extra="forbid")

    approved: bool = Field(description="false: it is not run, and the agent is told so")


@router.post("/supervision", status_code=204, responses=refusals(404, 409), summary="Take part in a call")
async def supervise(call_id: Id, body: SupervisionBody, parts: PartsDep, visitor: Supervising) -> None:
    """Or change the way in which one takes part."""
    after = {"mode": body.mode.value, "address": body.address}
    async with _deed(parts, visitor, call_id, "call.supervise", after) as control:
        await control.supervise(CallId(call_id), _supervisor(visitor, body.address), body.mode)


@router.post("/whisper", status_code=204, responses=refusals(404, 409), summary="Tell the agent something")
async def whisper(call_id: Id, body: WhisperBody, parts: PartsDep, visitor: Supervising) -> None:
    """It knows it from its next answer on."""
    async with _deed(parts, visitor, call_id, "call.whisper", {"text": body.text}) as control:
        await control.whisper_text(CallId(call_id), _supervisor(visitor), body.text)


@router.post("/hand-back", status_code=204, responses=refusals(404, 409), summary="Give the call back to the agent")
async def hand_back(call_id: Id, parts: PartsDep, visitor: Supervising) -> None:
    """It goes on with what was said meanwhile."""
    async with _deed(parts, visitor, call_id, "call.hand_back", {}) as control:
        await control.hand_back(CallId(call_id), _supervisor(visitor))


@router.post("/end", status_code=204, responses=refusals(404, 409), summary="End a call")
async def end(call_id: Id, parts: PartsDep, visitor: Supervising) -> None:
    """At once."""
    async with _deed(parts, visitor, call_id, "call.end", {}) as control:
        await control.end(CallId(call_id), _supervisor(visitor))


@router.post(
    "/recording/pause", status_code=204, responses=refusals(404, 409), summary="Record silence for a while"
)
async def pause_recording(call_id: Id, parts: PartsDep, visitor: Supervising) -> None:
    """While something is said that nobody may ever hear again; until it is resumed."""
    async with _deed(parts, visitor, call_id, "call.pause_recording", {}) as control:
        await control.pause_recording(CallId(call_id), _supervisor(visitor), True)


@router.post("/recording/resume", status_code=204, responses=refusals(404, 409), summary="Record again")
async def resume_recording(call_id: Id, parts: PartsDep, visitor: Supervising) -> None:
    """What one has paused oneself; what the agent has paused it resumes itself."""
    async with _deed(parts, visitor, call_id, "call.resume_recording", {}) as control:
        await control.pause_recording(CallId(call_id), _supervisor(visitor), False)


@router.post("/transfer", status_code=204, responses=refusals(404, 409), summary="Move a call")
async def transfer(call_id: Id, body: TransferBody, parts: PartsDep, visitor: Supervising) -> None:
    """What the agent is saying is finished first."""
    after = {"target": body.target, "kind": body.kind.value}
    async with _deed(parts, visitor, call_id, "call.transfer", after) as control:
        await control.transfer(CallId(call_id), _supervisor(visitor), body.target, body.kind)


@router.post(
    "/tools/{tool_call}", status_code=204, responses=refusals(404, 409), summary="Approve or refuse a tool"
)
async def approve(
    call_id: Id, tool_call: ToolCall, body: ApprovalBody, parts: PartsDep, visitor: Supervising
) -> None:
    """``tool_call``: its idempotency key, as the event that asks for approval names it."""
    after = {"tool_call": tool_call, "approved": body.approved}
    async with _deed(parts, visitor, call_id, "call.approve_tool", after) as control:
        await control.approve_tool(CallId(call_id), _supervisor(visitor), tool_call, body.approved)


def _supervisor(visitor: Visitor, address: str = "") -> Supervisor:
    return Supervisor(visitor.who.user_id, visitor.who.user_name, address)


@asynccontextmanager
async def _deed(
    parts: Parts, visitor: Visitor, call_id: str, action: str, after: Mapping[str, object]
) -> AsyncIterator[CallControl]:
    """Look whether the call is in reach, note the deed, let it be done, and put a refusal into words."""
    live_call(parts, visitor, call_id)
    if parts.control is None:
        raise not_found("running call")
    async with parts.store.write() as unit:
        await unit.audit.append(visitor.note(action, "call", call_id, None, after))
    try:
        yield parts.control
    except NoSuchCall:
        raise not_found("running call") from None
    except Refused as refused:
        failed = {**after, "refused": str(refused)}
        async with parts.store.write() as unit:
            await unit.audit.append(visitor.note(f"{action}.refused", "call", call_id, None, failed))
        raise conflict(str(refused)) from None
