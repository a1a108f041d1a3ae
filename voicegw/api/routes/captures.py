"""Packet captures: of a running call, and of calls that are yet to come. Each deed is noted before it is done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import Id, refusals
from voicegw.api.captures import CallCaptures, StartCapture, Waited
from voicegw.api.control import NoSuchCall, Refused
from voicegw.api.hearing import note_hearing
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import conflict, forbidden, not_found
from voicegw.api.recordings import NoRecording
from voicegw.api.routes.calls import visible
from voicegw.api.routes.live import live_call
from voicegw.base.ids import CallId
from voicegw.base.pcap import CONTENT_TYPE

router = APIRouter(tags=["captures"])
Engineer = Annotated[Visitor, Depends(Allow(Permission.CAPTURE))]
WaitedNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+#._-]{1,64}$")]
_READ = "capture.read"
_HEADS = "-heads."
_FILE: dict[int | str, dict[str, Any]] = {200: {"description": "a capture", "content": {CONTENT_TYPE: {}}}}


class CaptureBody(BaseModel):
    """How much. ``audio``: with what is said, as far as it may be recorded; it needs the permission to hear
    recordings as well. The limits of the configuration hold in any case."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"audio": False}]})

    audio: bool = True
    max_seconds: float = Field(default=86_400, gt=0, le=86_400)
    max_mb: float = Field(default=4000, gt=0, le=4000)


class WaitBody(CaptureBody):
    """For which calls: the next ``count`` from or to ``number``, within ``ttl_s`` seconds."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"number": "+4930123"}]})

    number: WaitedNumber
    count: int = Field(default=1, ge=1, le=20)
    ttl_s: float = Field(default=3600, gt=0, le=86_400)


class WaitedView(BaseModel):
    """The next ``left`` calls from or to ``number`` are captured, for ``seconds`` more, as ``by`` has ordered."""

    id: str
    number: str
    left: int
    seconds: float
    by: str
    audio: bool


class WaitedList(BaseModel):
    """All that are in reach."""

    items: list[WaitedView]


@router.post("/v1/calls/{call_id}/capture", status_code=204, responses=refusals(404, 409), summary="Capture a call")
async def start(call_id: Id, body: CaptureBody, parts: PartsDep, visitor: Engineer) -> None:
    """Write down its packets from now on: SIP, RTP and RTCP of all legs. It ends with the call."""
    order = _order(body, visitor)
    async with _deed(parts, visitor, call_id, "call.capture", body.model_dump()) as captures:
        await captures.start(CallId(call_id), order)


@router.delete(
    "/v1/calls/{call_id}/capture", status_code=204, responses=refusals(404, 409), summary="Capture no more"
)
async def stop(call_id: Id, parts: PartsDep, visitor: Engineer) -> None:
    """Returns when the file is complete."""
    async with _deed(parts, visitor, call_id, "call.capture_stop", {}) as captures:
        await captures.stop(CallId(call_id), visitor.who.user_name)


@router.get(
    "/v1/calls/{call_id}/capture",
    response_class=StreamingResponse,
    responses={**refusals(404, 409), **_FILE},
    summary="Get the capture of a call",
)
async def download(
    call_id: Id,
    parts: PartsDep,
    visitor: Engineer,
    part: Annotated[int, Query(ge=0, description="1 is the first; 0: the last")] = 0,
) -> StreamingResponse:
    """Once it is complete. Another node's stays there: 409 says which one's, and where its API is.

    One that was ordered with audio needs the permission to hear recordings as well.
    """
    async with parts.store.read() as unit:
        await visible(unit, visitor.who.scope, call_id)
    found = parts.files.captures_of(call_id) if parts.files is not None else []
    if not found:
        await _tell_where(parts, call_id)
    if parts.recordings is None or not 0 < (part or len(found)) <= len(found):
        raise not_found("capture")
    path = found[part - 1]
    if _HEADS not in path.name:
        _demand_hearing(visitor)
    try:
        size = await parts.recordings.size(path.name)
    except NoRecording:
        raise not_found("capture") from None
    await note_hearing(parts, visitor, _READ, call_id)
    headers = {"Content-Length": str(size), "Content-Disposition": f'attachment; filename="{_plain_name(path)}"'}
    return StreamingResponse(parts.recordings.read(path.name, 0, size), 200, headers, CONTENT_TYPE)


@router.post("/v1/captures", status_code=201, responses=refusals(404, 409), summary="Capture calls to come")
async def arm(body: WaitBody, parts: PartsDep, visitor: Engineer) -> WaitedView:
    """The next ones of this node from or to a number, from their first message on."""
    order, captures = _order(body, visitor), _captures(parts)
    if not visitor.who.scope.has_number(body.number):
        raise not_found("number")
    async with parts.store.write() as unit:
        await unit.audit.append(visitor.note("capture.arm", "number", body.number, None, body.model_dump()))
    try:
        return _view(await captures.arm(body.number, body.count, body.ttl_s, order))
    except Refused as refused:
        raise conflict(str(refused)) from None


@router.get("/v1/captures", responses=refusals(404), summary="List captures of calls to come")
async def waited(parts: PartsDep, visitor: Engineer) -> WaitedList:
    """Those that are still waited for."""
    found = await _captures(parts).waited()
    return WaitedList(items=[_view(one) for one in found if visitor.who.scope.has_number(one.number)])


@router.delete(
    "/v1/captures/{capture_id}", status_code=204, responses=refusals(404), summary="Wait for calls no more"
)
async def disarm(capture_id: Id, parts: PartsDep, visitor: Engineer) -> None:
    """What has begun goes on."""
    captures = _captures(parts)
    found = {one.id: one for one in await captures.waited() if visitor.who.scope.has_number(one.number)}
    if capture_id not in found:
        raise not_found("capture")
    async with parts.store.write() as unit:
        note = visitor.note("capture.disarm", "number", found[capture_id].number, {"capture": capture_id}, None)
        await unit.audit.append(note)
    await captures.disarm(capture_id)


def _order(body: CaptureBody, visitor: Visitor) -> StartCapture:
    if body.audio:
        _demand_hearing(visitor)
    return StartCapture(visitor.who.user_name, body.audio, body.max_seconds, body.max_mb)


def _demand_hearing(visitor: Visitor) -> None:
    if not visitor.who.may(Permission.RECORDINGS):
        raise forbidden(f"a capture with audio needs the permission '{Permission.RECORDINGS}' as well")


def _captures(parts: Parts) -> CallCaptures:
    if parts.captures is None:
        raise not_found("way to capture calls")
    return parts.captures


async def _tell_where(parts: Parts, call_id: str) -> None:
    """Files do not travel between nodes; raises 409 where another one has it."""
    keeper = await parts.captures.keeper(CallId(call_id)) if parts.captures is not None else None
    if keeper is None:
        return
    where = f"{keeper.api}/v1/calls/{call_id}/capture" if keeper.api else "which has no API"
    raise conflict(f"the capture is on node {keeper.node}: {where}")


def _plain_name(path: Path) -> str:
    return path.name.removesuffix(".sealed")


def _view(one: Waited) -> WaitedView:
    return WaitedView(id=one.id, number=one.number, left=one.left, seconds=one.seconds, by=one.by, audio=one.audio)


@asynccontextmanager
async def _deed(
    parts: Parts, visitor: Visitor, call_id: str, action: str, after: dict[str, object]
) -> AsyncIterator[CallCaptures]:
    """Look whether the call is in reach, note the deed, let it be done, and put a refusal into words."""
    live_call(parts, visitor, call_id)
    captures = _captures(parts)
    async with parts.store.write() as unit:
        await unit.audit.append(visitor.note(action, "call", call_id, None, after))
    try:
        yield captures
    except NoSuchCall:
        raise not_found("running call") from None
    except Refused as refused:
        failed = {**after, "refused": str(refused)}
        async with parts.store.write() as unit:
            await unit.audit.append(visitor.note(f"{action}.refused", "call", call_id, None, failed))
        raise conflict(str(refused)) from None
