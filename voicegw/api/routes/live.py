"""Running calls: the list, one in full, and every event as it happens."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Response, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

from voicegw.api.access import Allow, Visitor, identify
from voicegw.api.answers import Id, Words, refusals
from voicegw.api.call_views import LineView
from voicegw.api.event_ring import LiveEvent
from voicegw.api.hearing import LIVE, note_hearing
from voicegw.api.live_calls import LiveCall
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import ApiProblem, not_found
from voicegw.api.streams import SseStream, pump
from voicegw.base.ids import CallId

router = APIRouter(prefix="/v1/live", tags=["live"])
Watching = Annotated[Visitor, Depends(Allow(Permission.LIVE))]
EventId = Annotated[str | None, Query(max_length=100, description="the last event that you have seen")]

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "events without end (text/event-stream)",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class RiskView(BaseModel):
    """A reason to look at a call, in plain words."""

    reason: str
    points: int
    text: str


class WaitingToolView(BaseModel):
    """A tool that runs only if it is approved within ``within_s`` seconds of the event that asked."""

    key: str
    tool: str
    arguments: str
    within_s: float


class LiveCallView(BaseModel):
    """A running call. ``last_seq``: the number of its last event in here. ``risk``: 0 to 100, from ``reasons``.

    ``supervisors``: who takes part, and in which mode. ``node``: the one of the cluster that has it; empty: this.
    """

    id: str
    state: str
    held: bool
    started_at: str
    called: str
    calling: str
    route: str
    agent: str
    caller_turns: int
    last_seq: int
    risk: int
    reasons: list[RiskView]
    supervisors: dict[str, str]
    node: str
    waiting_tools: list[WaitingToolView]


class LiveList(BaseModel):
    """``last_event_id``: watch from there on, and nothing is missed or told twice."""

    items: list[LiveCallView]
    last_event_id: str


class LiveSnapshot(BaseModel):
    """A running call as it is now, with what was said so far and what the agent has understood."""

    call: LiveCallView
    transcript: list[LineView]
    slots: dict[str, str]
    last_event_id: str


@router.get("/calls", responses=refusals(), summary="List running calls")
async def list_live(parts: PartsDep, visitor: Watching) -> LiveList:
    """Those in reach, in order of risk: what needs a look first. Of equal ones the oldest first."""
    calls = parts.hub.calls.list(visitor.who.scope)
    return LiveList(items=[_view(call) for call in calls], last_event_id=parts.hub.last_id)


@router.get("/calls/{call_id}", responses=refusals(404), summary="See a running call")
async def snapshot(call_id: Id, parts: PartsDep, visitor: Watching) -> LiveSnapshot:
    """Leaves a row in the audit, as every listen does."""
    call = live_call(parts, visitor, call_id)
    await note_hearing(parts, visitor, LIVE, call_id)
    lines = sorted(call.record.transcript, key=lambda line: line.at_ms)
    return LiveSnapshot(
        call=_view(call),
        transcript=[
            LineView(at_ms=one.at_ms, speaker=one.speaker, text=one.text, interrupted=one.interrupted)
            for one in lines
        ],
        slots=dict(call.record.slots),
        last_event_id=parts.hub.last_id,
    )


@router.get("/events", response_class=Response, responses={**refusals(), **_STREAM}, summary="Watch (SSE)")
async def watch_sse(
    parts: PartsDep,
    visitor: Watching,
    call_id: Annotated[Words | None, Query(description="only this call")] = None,
    after: EventId = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)] = None,
) -> Response:
    """Server-sent events; the same events come by WebSocket at ``/v1/live/ws``. ``gap`` and ``end`` are ours."""
    await note_hearing(parts, visitor, LIVE, call_id or "*")
    return SseStream(parts, visitor, call_id, last_event_id or after)


@router.websocket("/ws")
async def watch_ws(socket: WebSocket, parts: PartsDep) -> None:
    """The same as JSON messages; query ``call_id``, ``after``, ``together``.

    Closes with 4401, 4403, 4429 as SSE would refuse.
    """
    try:
        visitor = await identify(socket, parts)
        if not visitor.who.may(Permission.LIVE):
            raise ApiProblem(403, f"this needs the permission '{Permission.LIVE}'")
    except ApiProblem as problem:
        await socket.accept()
        await socket.close(4000 + problem.status, problem.detail)
        return
    call_id = socket.query_params.get("call_id")
    await note_hearing(parts, visitor, LIVE, call_id or "*")
    await socket.accept()

    together = socket.query_params.get("together") == "1"

    async def send(events: list[LiveEvent]) -> None:
        texts = [event.text.decode() for event in events]
        if together and texts:
            texts = [f"[{','.join(texts)}]"]
        for text in texts:
            await socket.send_text(text)

    async def tell(name: str, reason: str) -> None:
        await socket.send_text(msgspec.json.encode({name: reason}).decode())

    gone = asyncio.create_task(_until_gone(socket))
    try:
        with suppress(WebSocketDisconnect):  # they left while something was being sent
            await pump(parts, visitor, call_id, socket.query_params.get("after"), send, tell, gone)
            if not gone.done():
                await socket.close(1001, "see the last message")
    finally:
        gone.cancel()


def live_call(parts: Parts, visitor: Visitor, call_id: str) -> LiveCall:
    """A running call in reach; raises 404."""
    call = parts.hub.calls.get(CallId(call_id))
    if call is None or not visitor.who.scope.has_call(call.called, call.calling, call.agent):
        raise not_found("running call")
    return call


def _view(call: LiveCall) -> LiveCallView:
    return LiveCallView(
        id=call.call_id,
        state=call.state,
        held=call.held,
        started_at=call.started_at,
        called=call.called,
        calling=call.calling,
        route=call.route,
        agent=call.agent,
        caller_turns=len(call.record.caller_turns),
        last_seq=call.last_seq,
        risk=call.risk.points,
        reasons=[RiskView(reason=one.reason, points=one.points, text=one.text) for one in call.risk.signs],
        supervisors=dict(call.supervisors),
        node=call.node,
        waiting_tools=[
            WaitingToolView(key=one.key, tool=one.tool, arguments=one.arguments, within_s=one.within_s)
            for one in call.waiting.values()
        ],
    )


async def _until_gone(socket: WebSocket) -> None:
    """Messages of watchers say nothing to us; their leaving does."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
