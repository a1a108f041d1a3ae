"""Who did what: every change, and every time somebody listened or read what was said."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import DEFAULT, Cursor, Limit, Page, Words, moment, refusals
from voicegw.api.paging import NumberPosition, decode_cursor, encode_cursor
from voicegw.api.parts import PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import forbidden
from voicegw.storage.audit import AuditEntry, AuditFilter

router = APIRouter(prefix="/v1/audit", tags=["audit"])


class AuditView(BaseModel):
    """One deed. ``before`` and ``after`` never hold secrets; erased entries have lost them."""

    seq: int
    at: str
    actor: str
    actor_kind: str
    action: str
    object_kind: str
    object_id: str
    address: str
    before: Any
    after: Any
    erased: bool


@router.get("", responses=refusals(), summary="List what was done")
async def list_audit(
    parts: PartsDep,
    visitor: Annotated[Visitor, Depends(Allow(Permission.AUDIT))],
    actor: Annotated[Words | None, Query()] = None,
    action: Annotated[Words | None, Query(examples=["recording.hear"])] = None,
    object_kind: Annotated[Words | None, Query()] = None,
    object_id: Annotated[Words | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query()] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT,
) -> Page[AuditView]:
    """The newest first. It is about everybody, so it is for people without limits only."""
    if not visitor.who.reach.unlimited:
        raise forbidden("the audit is read by people without limits")
    wanted = AuditFilter(
        actor, action, object_kind, object_id, wall_ms(since) if since else None, wall_ms(until) if until else None
    )
    after = decode_cursor(cursor, NumberPosition)
    async with parts.store.read() as unit:
        found = await unit.audit.page(wanted, after.number if after else None, limit)
    following = encode_cursor(NumberPosition(found[-1].seq)) if len(found) == limit else None
    return Page(items=[_view(entry) for entry in found], next=following)


def wall_ms(at: AwareDatetime) -> int:
    """As the store counts."""
    return int(at.timestamp() * 1000)


def _view(entry: AuditEntry) -> AuditView:
    note = entry.note
    return AuditView(
        seq=entry.seq,
        at=moment(note.at_wall_ms),
        actor=note.actor,
        actor_kind=note.actor_kind,
        action=note.action,
        object_kind=note.object_kind,
        object_id=note.object_id,
        address=note.peer,
        before=_decoded(note.before_json),
        after=_decoded(note.after_json),
        erased=entry.erased,
    )


def _decoded(text: str) -> object:
    return msgspec.json.decode(text) if text else None
