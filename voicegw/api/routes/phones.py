"""Phones of supervisors and human agents: accounts, and who can be reached. Passwords are never shown or kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import ETAG, IfMatch, IfNoneMatch, NameInPath, Words, refusals
from voicegw.api.etags import demand_match, etag_of
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.phone_board import PhoneBoard
from voicegw.api.problems import conflict, forbidden, not_found
from voicegw.api.vault import phone_context
from voicegw.base.ids import token
from voicegw.gateway.phone_book import PhoneState
from voicegw.gateway.phone_config import is_phone_name
from voicegw.gateway.phone_secret import write_secret
from voicegw.storage.phones import Phone
from voicegw.storage.store import Unit

router = APIRouter(prefix="/v1/phones", tags=["phones"])
Reader = Annotated[Visitor, Depends(Allow(Permission.CONFIG_READ))]
Writer = Annotated[Visitor, Depends(Allow(Permission.TRUNKS))]


class PhoneBody(BaseModel):
    """``password`` is hashed for the digest and then forgotten; null keeps the one there is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"display_name": "Desk", "owner": "ann", "password": "long and random"}]},
    )

    display_name: Words = ""
    owner: Words = ""
    enabled: bool = True
    password: Annotated[str, StringConstraints(min_length=8, max_length=200)] | None = None


class PhoneView(BaseModel):
    """A phone as it is shown. ``address`` is what transfers and supervisors call; ``calls`` are those it is on."""

    name: str
    address: str
    display_name: str
    owner: str
    enabled: bool
    configured: str
    registered: bool
    devices: list[str]
    calls: int


@router.get("", responses=refusals(404), summary="List phones and whether they can be reached")
async def list_phones(parts: PartsDep, _visitor: Reader) -> list[PhoneView]:
    """By name; those of the configuration file and those of the store."""
    board = _board(parts)
    rows: list[Phone] = []
    async with parts.store.read() as unit:
        while page := await unit.phones.page((rows[-1].name, rows[-1].id) if rows else None, 500):
            rows += page
    stored = {row.name: row for row in rows}
    states = board.snapshot()
    return [_view(board, name, stored.get(name), states.get(name)) for name in sorted({*stored, *states})]


@router.get("/{name}", responses={**refusals(404), 200: ETAG}, summary="See a phone")
async def see(name: NameInPath, parts: PartsDep, _visitor: Reader, response: Response) -> PhoneView:
    """Without its password."""
    board = _board(parts)
    async with parts.store.read() as unit:
        row = await unit.phones.by_name(name)
    state = board.snapshot().get(name)
    if row is None and state is None:
        raise not_found("phone")
    response.headers["ETag"] = etag_of(row.version if row is not None else 0)
    return _view(board, name, row, state)


@router.put("/{name}", responses={**refusals(404, 409, 412, 428), 200: ETAG}, summary="Create or change a phone")
async def put(
    name: NameInPath,
    body: PhoneBody,
    parts: PartsDep,
    visitor: Writer,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> PhoneView:
    """``If-None-Match: *`` to create, ``If-Match`` to change. A new password ends what is registered."""
    _demand_unlimited(visitor)
    board = _board(parts)
    async with parts.store.write() as unit:
        if if_none_match == "*":
            before, row = None, await unit.phones.add(await _new(unit, parts, board, visitor, name, body))
        else:
            before = await _stored(unit, name)
            demand_match(if_match, before.version)
            changed = replace(_with(parts, board, before, body), changed_wall_ms=visitor.at_wall_ms)
            row = await unit.phones.put(changed)
        was = _facts(before) if before else None
        await unit.audit.append(visitor.note("phone.put", "phone", name, was, _facts(row)))
    await board.accounts_changed()
    response.headers["ETag"] = etag_of(row.version)
    return _view(board, name, row, board.snapshot().get(name))


@router.delete("/{name}", status_code=204, responses=refusals(404, 412, 428), summary="Remove a phone")
async def remove(name: NameInPath, parts: PartsDep, visitor: Writer, if_match: IfMatch = None) -> None:
    """What is registered under it ends."""
    _demand_unlimited(visitor)
    board = _board(parts)
    async with parts.store.write() as unit:
        row = await _stored(unit, name)
        demand_match(if_match, row.version)
        await unit.phones.delete(row.id)
        await unit.audit.append(visitor.note("phone.remove", "phone", name, _facts(row), None))
    await board.accounts_changed()


def _board(parts: Parts) -> PhoneBoard:
    if parts.phones is None or not parts.phones.domain:
        raise not_found("registrar")
    return parts.phones


def _demand_unlimited(visitor: Visitor) -> None:
    """Phones belong to no team."""
    if not visitor.who.reach.unlimited:
        raise forbidden("only people without limits may change phones")


def _view(board: PhoneBoard, name: str, row: Phone | None, state: PhoneState | None) -> PhoneView:
    shown = row.display_name if row is not None else state.display_name if state is not None else ""
    owner = row.owner if row is not None else state.user if state is not None else ""
    return PhoneView(
        name=name,
        address=f"sip:{name}@{board.domain}",
        display_name=shown,
        owner=owner,
        enabled=row.enabled if row is not None else True,
        configured="store" if row is not None else "file",
        registered=state.registered if state is not None else False,
        devices=list(state.devices) if state is not None else [],
        calls=state.calls if state is not None else 0,
    )


async def _new(unit: Unit, parts: Parts, board: PhoneBoard, visitor: Visitor, name: str, body: PhoneBody) -> Phone:
    if not is_phone_name(name) or await unit.phones.by_name(name) is not None or name in board.snapshot():
        raise conflict(f"there is a phone '{name}' already, or none can be called that")
    row = Phone(f"p_{token(parts.random, 12)}", name, visitor.at_wall_ms, visitor.at_wall_ms)
    return _with(parts, board, row, body)


def _with(parts: Parts, board: PhoneBoard, row: Phone, body: PhoneBody) -> Phone:
    sealed = row.secret_sealed
    if body.password is not None:
        text = write_secret(row.name, board.realm, body.password)
        sealed = parts.vault.seal(text, phone_context(row.id))
    return replace(
        row, display_name=body.display_name, owner=body.owner, enabled=body.enabled, secret_sealed=sealed
    )


def _facts(row: Phone) -> dict[str, object]:
    """What the audit keeps; that there is a password, never which."""
    return {
        "enabled": row.enabled,
        "display_name": row.display_name,
        "owner": row.owner,
        "has_password": row.secret_sealed is not None,
    }


async def _stored(unit: Unit, name: str) -> Phone:
    row = await unit.phones.by_name(name)
    if row is None:
        raise not_found("phone")
    return row
