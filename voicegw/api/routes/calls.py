"""Calls that were: list, search, what happened, what was said, how it sounded."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import AwareDatetime

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import DEFAULT, Cursor, Id, Limit, Number, Page, Words, refusals
from voicegw.api.call_views import (
    CallDetailView,
    CallView,
    EventView,
    LadderView,
    TranscriptView,
    call_view,
    detail_view,
    event_view,
    transcript_view,
)
from voicegw.api.hearing import RECORDING, TRANSCRIPT, note_hearing
from voicegw.api.ladder import Ladder, ladder
from voicegw.api.ladder_pcap import began_at, ladder_pcap
from voicegw.api.ladder_text import ladder_text
from voicegw.api.paging import NumberPosition, TimePosition, decode_cursor, encode_cursor
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission, Scope
from voicegw.api.problems import forbidden, not_found
from voicegw.api.ranges import parse_range
from voicegw.api.recordings import NoRecording
from voicegw.base.pcap import CONTENT_TYPE as PCAP
from voicegw.call.facts import Entry
from voicegw.storage.call_records import CallCursor, CallFilter, CallLimits, CallSummary, StoredState
from voicegw.storage.store import Unit

router = APIRouter(prefix="/v1/calls", tags=["calls"])
Reader = Annotated[Visitor, Depends(Allow(Permission.CALLS_READ))]
TranscriptReader = Annotated[Visitor, Depends(Allow(Permission.TRANSCRIPTS))]
Listener = Annotated[Visitor, Depends(Allow(Permission.RECORDINGS))]

_AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"description": "the whole recording", "content": {"audio/wav": {}}},
    206: {"description": "the range that was asked for", "content": {"audio/wav": {}}},
}


async def search_of(
    q: Annotated[Words | None, Query(description="words that were said, or in names and numbers")] = None,
    number: Annotated[Number | None, Query(description="of either party; `*` at the end: a beginning")] = None,
    called: Annotated[Number | None, Query()] = None,
    calling: Annotated[Number | None, Query()] = None,
    agent: Annotated[Words | None, Query()] = None,
    route: Annotated[Words | None, Query()] = None,
    cause: Annotated[Words | None, Query(examples=["caller_hangup"])] = None,
    state: Annotated[Literal["open", "ended", "lost"] | None, Query()] = None,
    failure: Annotated[bool | None, Query()] = None,
    tag: Annotated[Words | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query(examples=["2026-03-01T00:00:00Z"])] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
) -> CallFilter:
    """What a list of calls is narrowed by; all of what is given must hold."""
    return CallFilter(
        number=number,
        called=called,
        calling=calling,
        agent=agent,
        route=route,
        cause=cause,
        state=StoredState(state) if state else None,
        failure=failure,
        tag=tag,
        text=q or None,
        from_wall_ms=int(since.timestamp() * 1000) if since else None,
        until_wall_ms=int(until.timestamp() * 1000) if until else None,
    )


@router.get("", responses=refusals(), summary="List and search calls")
async def list_calls(
    parts: PartsDep,
    visitor: Reader,
    wanted: Annotated[CallFilter, Depends(search_of)],
    cursor: Cursor = None,
    limit: Limit = DEFAULT,
) -> Page[CallView]:
    """The newest first. Searching for words needs the permission to read transcripts."""
    if wanted.text is not None and not visitor.who.may(Permission.TRANSCRIPTS):
        raise forbidden(f"searching in what was said needs the permission '{Permission.TRANSCRIPTS}'")
    after = decode_cursor(cursor, TimePosition)
    behind = CallCursor(after.wall_ms, after.row_id) if after else None
    async with parts.store.read() as unit:
        page = await unit.calls.page(limited(wanted, visitor.who.scope), behind, limit)
    following = TimePosition(page.next.started_wall_ms, page.next.id) if page.next else None
    return Page(items=[call_view(one) for one in page.calls], next=encode_cursor(following) if following else None)


@router.get("/{call_id}", responses=refusals(404), summary="See a call")
async def see(call_id: Id, parts: PartsDep, visitor: Reader) -> CallDetailView:
    """Parties, times, legs and turns; not what was said."""
    async with parts.store.read() as unit:
        await visible(unit, visitor.who.scope, call_id)
        return detail_view(await unit.calls.detail(call_id))


@router.get("/{call_id}/transcript", responses=refusals(404), summary="Read what was said")
async def transcript(call_id: Id, parts: PartsDep, visitor: TranscriptReader) -> TranscriptView:
    """As it was heard: what was cut off is not in it. Leaves a row in the audit."""
    async with parts.store.read() as unit:
        await visible(unit, visitor.who.scope, call_id)
        detail = await unit.calls.detail(call_id)
    await note_hearing(parts, visitor, TRANSCRIPT, call_id)
    return transcript_view(detail)


@router.get("/{call_id}/events", responses=refusals(404), summary="List the facts of a call")
async def events(
    call_id: Id, parts: PartsDep, visitor: TranscriptReader, cursor: Cursor = None, limit: Limit = DEFAULT
) -> Page[EventView]:
    """Everything that happened, in order, with the hash that chains it. Leaves a row in the audit."""
    after = decode_cursor(cursor, NumberPosition)
    async with parts.store.read() as unit:
        await visible(unit, visitor.who.scope, call_id)
        found = await unit.calls.events(call_id, after.number if after else -1, limit)
    await note_hearing(parts, visitor, TRANSCRIPT, call_id)
    following = encode_cursor(NumberPosition(found[-1].seq)) if len(found) == limit else None
    return Page(items=[event_view(one) for one in found], next=following)


@router.get("/{call_id}/ladder", responses=refusals(404), summary="See the signalling of a call")
async def see_ladder(call_id: Id, parts: PartsDep, visitor: Reader) -> LadderView:
    """Who sent which SIP message when. Of a call that goes on, what its facts tell of them."""
    return LadderView.of(await _ladder(parts, visitor, call_id))


@router.get(
    "/{call_id}/ladder/text",
    response_class=PlainTextResponse,
    responses=refusals(404),
    summary="See the signalling of a call as text",
)
async def ladder_as_text(call_id: Id, parts: PartsDep, visitor: Reader) -> PlainTextResponse:
    """The same, drawn with arrows."""
    return PlainTextResponse(ladder_text(await _ladder(parts, visitor, call_id)))


@router.get(
    "/{call_id}/ladder/pcap",
    response_class=Response,
    responses={**refusals(404), 200: {"description": "a capture", "content": {PCAP: {}}}},
    summary="Get the signalling of a call as a packet capture",
)
async def ladder_as_pcap(call_id: Id, parts: PartsDep, visitor: Reader) -> Response:
    """The messages whose text was kept (``sip.ladder.full_text``), for tcpdump, Wireshark and sngrep."""
    entries = await _entries(parts, visitor, call_id)
    headers = {"Content-Disposition": f'attachment; filename="{call_id}.pcap"'}
    return Response(ladder_pcap(ladder(entries), began_at(entries)), media_type=PCAP, headers=headers)


async def _ladder(parts: Parts, visitor: Visitor, call_id: str) -> Ladder:
    return ladder(await _entries(parts, visitor, call_id))


async def _entries(parts: Parts, visitor: Visitor, call_id: str) -> list[Entry]:
    async with parts.store.read() as unit:
        await visible(unit, visitor.who.scope, call_id)
        found = await unit.calls.events(call_id, limit=100_000)
    return [one.entry for one in found if one.entry is not None]


@router.get(
    "/{call_id}/recording",
    response_class=StreamingResponse,
    responses={**refusals(404, 416), **_AUDIO},
    summary="Hear a call",
)
async def recording(
    call_id: Id,
    parts: PartsDep,
    visitor: Listener,
    byte_range: Annotated[str | None, Header(alias="Range", examples=["bytes=0-65535"])] = None,
) -> StreamingResponse:
    """Stereo WAV, or Opus in Ogg: left the caller, right what the caller was sent. Leaves a row in the audit."""
    async with parts.store.read() as unit:
        await visible(unit, visitor.who.scope, call_id)
        found = await unit.calls.recording(call_id)
    if parts.recordings is None or found is None or found.deleted_wall_ms is not None:
        raise not_found("recording")
    try:
        size = await parts.recordings.size(found.path)
    except NoRecording:
        raise not_found("recording") from None
    wanted = parse_range(byte_range, size)
    await note_hearing(parts, visitor, RECORDING, call_id)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(wanted.length if wanted else size)}
    if wanted is not None:
        headers["Content-Range"] = f"bytes {wanted.start}-{wanted.end}/{size}"
    start, length = (wanted.start, wanted.length) if wanted else (0, size)
    body = parts.recordings.read(found.path, start, length)
    kind = "audio/ogg" if found.path.removesuffix(".sealed").endswith(".opus") else "audio/wav"
    return StreamingResponse(body, 206 if wanted else 200, headers, kind)


def limited(wanted: CallFilter, scope: Scope) -> CallFilter:
    """The same filter within the limits of a person."""
    if scope.unlimited:
        return wanted
    return replace(wanted, within=CallLimits(scope.numbers, tuple(sorted(scope.agents))))


async def visible(unit: Unit, scope: Scope, call_id: str) -> CallSummary:
    """The call; raises 404 where it is not there or out of reach."""
    found = await unit.calls.get(call_id)
    if not scope.has_call(found.called, found.calling, found.agent):
        raise not_found("call")
    return found
