"""API keys: for programs, with some of the rights of the user they belong to."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from voicegw.api import tokens
from voicegw.api.access import SomeVisitor, Visitor
from voicegw.api.answers import DEFAULT, Cursor, Id, Limit, Name, Number, Page, iso, moment, refusals
from voicegw.api.paging import NamePosition, decode_cursor, encode_cursor
from voicegw.api.parts import PartsDep
from voicegw.api.permissions import Permission, Reach
from voicegw.api.problems import conflict, forbidden, not_found
from voicegw.base.ids import token
from voicegw.storage.store import Unit
from voicegw.storage.users import ApiKey

router = APIRouter(prefix="/v1/keys", tags=["keys"])

_DAY_MS = 86_400_000


class KeyBody(BaseModel):
    """A new key of whoever asks. ``scopes`` are permissions; what the user may not do, the key may not either."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "prometheus", "scopes": ["metrics"], "expires_in_days": 365}],
        },
    )

    name: Name
    scopes: list[Permission] = Field(min_length=1, max_length=len(Permission))
    teams: list[Name] = Field(default=[], max_length=100)
    numbers: list[Number] = Field(default=[], max_length=1000)
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)


class KeyView(BaseModel):
    """A key as it is shown later: without its secret."""

    id: str
    name: str
    user_id: str
    scopes: list[str]
    teams: list[str]
    numbers: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class NewKey(KeyView):
    """``secret`` is shown this once; send it as ``Authorization: Bearer``."""

    secret: str


@router.get("", responses=refusals(), summary="List keys")
async def list_keys(
    parts: PartsDep, visitor: SomeVisitor, cursor: Cursor = None, limit: Limit = DEFAULT
) -> Page[KeyView]:
    """One's own; an administrator without limits sees everybody's."""
    after = decode_cursor(cursor, NamePosition)
    async with parts.store.read() as unit:
        found = await unit.api_keys.page((after.name, after.row_id) if after else None, limit)
    last = NamePosition(found[-1].name, found[-1].id) if len(found) == limit else None
    return Page(
        items=[view(key) for key in found if _may_see(visitor, key)],
        next=encode_cursor(last) if last else None,
    )


@router.post("", status_code=201, responses=refusals(409), summary="Create a key")
async def create(body: KeyBody, parts: PartsDep, visitor: SomeVisitor) -> NewKey:
    """For oneself. A key can make no key that may do more than it may itself."""
    missing = sorted(set(body.scopes) - visitor.who.allowed)
    if missing:
        raise forbidden(f"you do not have these permissions yourself: {', '.join(missing)}")
    reach = Reach(tuple(body.numbers), tuple(body.teams))
    if not reach.unlimited and not reach.within(visitor.who.reach):
        raise forbidden("a key can reach no further than its user")
    if reach.unlimited:
        reach = visitor.who.reach if visitor.who.key_id else reach
    issued, now = tokens.issue(tokens.KEY_PREFIX, parts.random), visitor.at_wall_ms
    key = ApiKey(
        id=f"k_{token(parts.random, 12)}",
        name=body.name,
        secret_hash=issued.digest,
        scopes=tuple(sorted(set(body.scopes))),
        created_by=visitor.who.user_name,
        created_wall_ms=now,
        user_id=visitor.who.user_id,
        teams=reach.teams,
        numbers=reach.numbers,
        expires_wall_ms=now + body.expires_in_days * _DAY_MS if body.expires_in_days else None,
    )
    async with parts.store.write() as unit:
        if await unit.api_keys.by_name(body.name) is not None:
            raise conflict(f"there is a key '{body.name}' already")
        await unit.api_keys.add(key)
        await unit.audit.append(visitor.note("key.create", "key", key.id, None, _facts(key)))
    return NewKey(**view(key).model_dump(), secret=issued.secret)


@router.delete("/{key_id}", status_code=204, responses=refusals(404), summary="Revoke a key")
async def revoke(key_id: Id, parts: PartsDep, visitor: SomeVisitor) -> None:
    """At once and for good; it stays in the list."""
    async with parts.store.write() as unit:
        key = await _visible(unit, visitor, key_id)
        if key.revoked_wall_ms is None:
            await unit.api_keys.put(replace(key, revoked_wall_ms=visitor.at_wall_ms))
            await unit.audit.append(visitor.note("key.revoke", "key", key.id, _facts(key), None))


def view(key: ApiKey) -> KeyView:
    """A key as the API shows it."""
    return KeyView(
        id=key.id,
        name=key.name,
        user_id=key.user_id or "",
        scopes=list(key.scopes),
        teams=list(key.teams),
        numbers=list(key.numbers),
        created_at=moment(key.created_wall_ms),
        expires_at=iso(key.expires_wall_ms),
        last_used_at=iso(key.last_used_wall_ms),
        revoked_at=iso(key.revoked_wall_ms),
    )


def _facts(key: ApiKey) -> dict[str, object]:
    return {"name": key.name, "scopes": key.scopes, "teams": key.teams, "numbers": key.numbers}


def _may_see(visitor: Visitor, key: ApiKey) -> bool:
    whole = visitor.who.may(Permission.USERS) and visitor.who.reach.unlimited
    return whole or key.user_id == visitor.who.user_id


async def _visible(unit: Unit, visitor: Visitor, key_id: str) -> ApiKey:
    key = await unit.api_keys.find(key_id)
    if key is None or not _may_see(visitor, key):
        raise not_found("key")
    return key
