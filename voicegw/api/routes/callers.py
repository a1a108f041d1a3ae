"""All that is kept of one number: found, given out, erased with a certificate; and the certificates.

A number is compared as it was signalled. It is written into no part of the audit that outlives an erasure: entries
say who asked and when, and their details, which name the number, are erased with it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import DEFAULT, Cursor, Id, Limit, Number, Page, Responses, moment, refusals
from voicegw.api.paging import TimePosition, decode_cursor, encode_cursor
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import ApiProblem, conflict, forbidden
from voicegw.base.errors import LocalError
from voicegw.storage.certificates import subject_hash
from voicegw.storage.export import export_zip
from voicegw.storage.holdings import Holdings, StoredCertificate, certificate, certificates, holdings

router = APIRouter(prefix="/v1", tags=["privacy"])
Finder = Annotated[Visitor, Depends(Allow(Permission.DATA_EXPORT))]
Eraser = Annotated[Visitor, Depends(Allow(Permission.DATA_ERASE))]
Auditor = Annotated[Visitor, Depends(Allow(Permission.AUDIT))]
NumberInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9+*#._-]{1,64}$", examples=["+49301234"])]
_BLOCK = 256 * 1024
_ZIP: Responses = {
    200: {"description": "a ZIP of JSON files and recordings", "content": {"application/zip": {}}},
}


class HoldingsView(BaseModel):
    """How much is kept of a number. ``open_calls`` go on; nothing of them can be erased before they have ended."""

    number: str
    calls: int
    open_calls: list[str]
    events: int
    transcript_lines: int
    recordings: int
    tool_entries: int
    webhook_deliveries: int


class ErasureBody(BaseModel):
    """Why: it is kept in the certificate, so it must not say whose data it was."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "request of 2026-03-01, case 4711"}]}
    )

    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class ErasedCallView(BaseModel):
    """What went of one call, and the seal of its chain, which still holds."""

    call_id: str
    events: int
    transcript_lines: int
    recordings: int
    seal: str


class CertificateView(BaseModel):
    """The proof of an erasure. ``subject`` is a salted hash of the number.

    ``whole``: the certificate has the hash that it was made with; ``noted``: the chained audit holds that hash.
    ``about_number``: whether it is about the number that was asked with; null where none was.
    """

    id: str
    made_at: str
    actor: str
    reason: str
    scope: str
    subject: str
    subject_salt: str
    calls: list[ErasedCallView]
    audit_entries: list[int]
    webhook_deliveries: int
    recording_files: int
    log_files: int
    tool_entries: int
    rejected_facts: int
    hash: str
    whole: bool
    noted: bool
    about_number: bool | None


class ErasureView(BaseModel):
    """What was erased. ``open_calls`` were not: erase again when they have ended."""

    certificate: CertificateView
    open_calls: list[str]


@router.get("/callers/{number}", responses=refusals(), summary="Find what is kept of a number")
async def find(number: NumberInPath, parts: PartsDep, visitor: Finder) -> HoldingsView:
    """As caller or as called. Leaves a row in the audit."""
    _unlimited(visitor)
    await _note(parts, visitor, "caller.find", number)
    found, tools = await _look_up(parts, number)
    return HoldingsView(
        number=number,
        calls=len(found.calls),
        open_calls=list(found.open_calls),
        events=found.events,
        transcript_lines=found.transcript_lines,
        recordings=found.recordings,
        tool_entries=tools,
        webhook_deliveries=found.webhook_deliveries,
    )


@router.get(
    "/callers/{number}/export",
    response_class=StreamingResponse,
    responses={**refusals(), **_ZIP},
    summary="Export what is kept of a number",
)
async def export(number: NumberInPath, parts: PartsDep, visitor: Finder) -> StreamingResponse:
    """A ZIP: every call with its chained events, the recordings as they lie here, what tools were asked."""
    _unlimited(visitor)
    await _note(parts, visitor, "caller.export", number)
    async with parts.store.read() as unit:
        found = await holdings(unit.connection, number)
    tools = await parts.files.tool_entries(found.calls, number) if parts.files is not None else ()
    file = await asyncio.to_thread(tempfile.TemporaryFile)  # it has no name: nothing of it is ever left behind
    try:
        await export_zip(parts.store, found.calls, file, tools, parts.files)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    headers = {"Content-Length": str(size), "Content-Disposition": 'attachment; filename="caller.zip"'}
    return StreamingResponse(_blocks(file), 200, headers, "application/zip")


@router.post("/callers/{number}/erasure", responses=refusals(409), summary="Erase what is kept of a number")
async def erase(number: NumberInPath, body: ErasureBody, parts: PartsDep, visitor: Eraser) -> ErasureView:
    """For good, in calls that have ended. Contents go, chains stay whole, and the certificate says of what.

    Other nodes follow on their own disks within the hour. Repeating it does no harm.
    """
    _unlimited(visitor)
    if parts.keeper is None:
        raise conflict("this server does not know where its files are")
    await _note(parts, visitor, "caller.erase", number)
    async with parts.store.read() as unit:
        before = await holdings(unit.connection, number)
    try:
        made = await parts.keeper.erase_number(number, actor=visitor.who.user_name, reason=body.reason)
    except (OSError, LocalError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        raise ApiProblem(503, f"not everything is erased, and nothing is certified; try again: {text}") from None
    parts.hub.forget(frozenset(before.ended_calls))
    async with parts.store.read() as unit:
        stored = await certificate(unit.connection, made.id)
    return ErasureView(certificate=_view(stored, number), open_calls=list(before.open_calls))


@router.get("/erasures", responses=refusals(), summary="List erasures")
async def list_erasures(
    parts: PartsDep, visitor: Auditor, cursor: Cursor = None, limit: Limit = DEFAULT
) -> Page[CertificateView]:
    """Those on request and those of retention, the newest first."""
    _unlimited(visitor)
    after = decode_cursor(cursor, TimePosition)
    async with parts.store.read() as unit:
        found = await certificates(unit.connection, (after.wall_ms, after.row_id) if after else None, limit)
    last = found[-1].certificate if len(found) == limit else None
    following = encode_cursor(TimePosition(last.made_wall_ms, last.id)) if last else None
    return Page(items=[_view(one) for one in found], next=following)


@router.get("/erasures/{erasure_id}", responses=refusals(404), summary="See the proof of an erasure")
async def see(
    erasure_id: Id,
    parts: PartsDep,
    visitor: Auditor,
    number: Annotated[Number | None, Query(description="was it about this number?")] = None,
) -> CertificateView:
    """With ``number``, tells whether that number was meant: the certificate itself does not name it."""
    _unlimited(visitor)
    async with parts.store.read() as unit:
        return _view(await certificate(unit.connection, erasure_id), number)


def _unlimited(visitor: Visitor) -> None:
    """A number may be in calls of anybody."""
    if not visitor.who.reach.unlimited:
        raise forbidden("what is kept of a number is for people without limits")


async def _note(parts: Parts, visitor: Visitor, action: str, number: str) -> None:
    async with parts.store.write() as unit:
        await unit.audit.append(visitor.note(action, "caller", "", None, {"number": number}))


async def _look_up(parts: Parts, number: str) -> tuple[Holdings, int]:
    async with parts.store.read() as unit:
        found = await holdings(unit.connection, number)
    tools = await parts.files.tool_entries(found.calls, number) if parts.files is not None else ()
    return found, len(tools)


async def _blocks(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while block := await asyncio.to_thread(file.read, _BLOCK):
            yield block
    finally:
        file.close()


def _view(stored: StoredCertificate, number: str | None = None) -> CertificateView:
    made = stored.certificate
    about = None
    if number is not None:
        about = bool(made.subject) and made.subject == subject_hash(number, bytes.fromhex(made.subject_salt))
    return CertificateView(
        id=made.id,
        made_at=moment(made.made_wall_ms),
        actor=made.actor,
        reason=made.reason,
        scope=made.scope,
        subject=made.subject,
        subject_salt=made.subject_salt,
        calls=[
            ErasedCallView(**{name: getattr(one, name) for name in one.__struct_fields__}) for one in made.calls
        ],
        audit_entries=list(made.audit_entries),
        webhook_deliveries=made.webhook_deliveries,
        recording_files=made.recording_files,
        log_files=made.log_files,
        tool_entries=made.tool_entries,
        rejected_facts=made.rejected_facts,
        hash=stored.hash.hex(),
        whole=stored.whole,
        noted=stored.noted,
        about_number=about,
    )
