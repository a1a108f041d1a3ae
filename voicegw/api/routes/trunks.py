"""SIP trunks: settings that anybody may see who may see configuration, and a password that nobody sees again."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import (
    DEFAULT,
    ETAG,
    Cursor,
    IfMatch,
    IfNoneMatch,
    Limit,
    NameInPath,
    Page,
    moment,
    refusals,
)
from voicegw.api.etags import demand_match, etag_of
from voicegw.api.paging import NamePosition, decode_cursor, encode_cursor
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import conflict, forbidden, not_found
from voicegw.api.vault import trunk_context
from voicegw.base.ids import token
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.storage.admin import Trunk
from voicegw.storage.store import Unit

router = APIRouter(prefix="/v1/trunks", tags=["trunks"])
Reader = Annotated[Visitor, Depends(Allow(Permission.CONFIG_READ))]
Writer = Annotated[Visitor, Depends(Allow(Permission.TRUNKS))]


class TrunkBody(BaseModel):
    """``password`` is sealed and never shown; null keeps the one there is, an empty one removes it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "settings": {"host": "sip.example.net", "username": "4930123", "register_there": True},
                    "password": "given by the carrier",
                }
            ]
        },
    )

    settings: TrunkSettings
    enabled: bool = True
    password: Annotated[str, StringConstraints(max_length=200)] | None = None


class TrunkView(BaseModel):
    """A trunk as it is shown."""

    name: str
    enabled: bool
    settings: TrunkSettings
    has_password: bool
    created_at: str
    changed_at: str


@router.get("", responses=refusals(), summary="List trunks")
async def list_trunks(
    parts: PartsDep, visitor: Reader, cursor: Cursor = None, limit: Limit = DEFAULT
) -> Page[TrunkView]:
    """By name."""
    after = decode_cursor(cursor, NamePosition)
    async with parts.store.read() as unit:
        found = await unit.trunks.page((after.name, after.row_id) if after else None, limit)
    last = NamePosition(found[-1].name, found[-1].id) if len(found) == limit else None
    return Page(
        items=[view(one) for one in found if visitor.who.scope.has_trunk(one.name)],
        next=encode_cursor(last) if last else None,
    )


@router.get("/{name}", responses={**refusals(404), 200: ETAG}, summary="See a trunk")
async def see(name: NameInPath, parts: PartsDep, visitor: Reader, response: Response) -> TrunkView:
    """Without its password."""
    async with parts.store.read() as unit:
        trunk = await _visible(unit, visitor, name)
    response.headers["ETag"] = etag_of(trunk.version)
    return view(trunk)


@router.put("/{name}", responses={**refusals(404, 409, 412, 428), 200: ETAG}, summary="Create or change a trunk")
async def put(
    name: NameInPath,
    body: TrunkBody,
    parts: PartsDep,
    visitor: Writer,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> TrunkView:
    """``If-None-Match: *`` to create, ``If-Match`` to change."""
    async with parts.store.write() as unit:
        if if_none_match == "*":
            before, trunk = None, await _create(unit, parts, visitor, name, body)
        else:
            before = await _visible(unit, visitor, name)
            demand_match(if_match, before.version)
            changed = replace(_with(parts, before, body), changed_wall_ms=visitor.at_wall_ms)
            trunk = await unit.trunks.put(changed)
        was = _facts(before) if before else None
        await unit.audit.append(visitor.note("trunk.put", "trunk", name, was, _facts(trunk)))
    await parts.trunks.changed()
    response.headers["ETag"] = etag_of(trunk.version)
    return view(trunk)


@router.delete("/{name}", status_code=204, responses=refusals(404, 412, 428), summary="Remove a trunk")
async def remove(name: NameInPath, parts: PartsDep, visitor: Writer, if_match: IfMatch = None) -> None:
    """Its password goes with it."""
    async with parts.store.write() as unit:
        trunk = await _visible(unit, visitor, name)
        demand_match(if_match, trunk.version)
        await unit.trunks.delete(trunk.id)
        await unit.audit.append(visitor.note("trunk.remove", "trunk", name, _facts(trunk), None))
    await parts.trunks.changed()


def view(trunk: Trunk) -> TrunkView:
    """A trunk as the API shows it."""
    return TrunkView(
        name=trunk.name,
        enabled=trunk.enabled,
        settings=TrunkSettings.model_validate_json(trunk.settings_json),
        has_password=trunk.secret_sealed is not None,
        created_at=moment(trunk.created_wall_ms),
        changed_at=moment(trunk.changed_wall_ms),
    )


async def _create(unit: Unit, parts: Parts, visitor: Visitor, name: str, body: TrunkBody) -> Trunk:
    if not visitor.who.scope.has_trunk(name):
        raise forbidden(f"an administrator has to put '{name}' into one of your teams first")
    if await unit.trunks.by_name(name) is not None:
        raise conflict(f"there is a trunk '{name}' already")
    now = visitor.at_wall_ms
    trunk = Trunk(f"t_{token(parts.random, 12)}", name, "{}", now, now)
    return await unit.trunks.add(_with(parts, trunk, body))


def _with(parts: Parts, trunk: Trunk, body: TrunkBody) -> Trunk:
    sealed = trunk.secret_sealed
    if body.password is not None:
        sealed = parts.vault.seal(body.password, trunk_context(trunk.id)) if body.password else None
    return replace(trunk, settings_json=body.settings.model_dump_json(), enabled=body.enabled, secret_sealed=sealed)


def _facts(trunk: Trunk) -> dict[str, object]:
    """What the audit keeps; that there is a password, never which."""
    return {
        "enabled": trunk.enabled,
        "settings": msgspec.Raw(trunk.settings_json.encode()),
        "has_password": trunk.secret_sealed is not None,
    }


async def _visible(unit: Unit, visitor: Visitor, name: str) -> Trunk:
    trunk = await unit.trunks.by_name(name)
    if trunk is None or not visitor.who.scope.has_trunk(name):
        raise not_found("trunk")
    return trunk
