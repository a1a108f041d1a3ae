"""Users: who they are, what they may do, and how far they reach."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from voicegw.api import accounts
from voicegw.api.access import Allow, Visitor, roles_of
from voicegw.api.answers import (
    DEFAULT,
    ETAG,
    Cursor,
    Id,
    IfMatch,
    Limit,
    Name,
    Number,
    Page,
    Words,
    iso,
    moment,
    refusals,
)
from voicegw.api.etags import demand_match, etag_of
from voicegw.api.paging import NamePosition, decode_cursor, encode_cursor
from voicegw.api.parts import PartsDep
from voicegw.api.permissions import Permission, Reach, Role, permissions_of
from voicegw.api.problems import conflict, forbidden, not_found
from voicegw.storage.store import Unit
from voicegw.storage.users import User

router = APIRouter(prefix="/v1/users", tags=["users"])
Admin = Annotated[Visitor, Depends(Allow(Permission.USERS))]


class UserBody(BaseModel):
    """What an administrator says about a user. ``numbers`` and ``teams`` limit the roles; both empty: no limit."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "grace", "display_name": "Grace H.", "roles": ["supervisor"], "teams": ["sales"]},
                {"name": "audit", "roles": ["auditor"], "numbers": ["+4930*"]},
            ]
        },
    )

    name: Name
    display_name: Words = ""
    email: Words = ""
    roles: list[Role] = Field(default=[], max_length=4)
    teams: list[Name] = Field(default=[], max_length=100)
    numbers: list[Number] = Field(default=[], max_length=1000)
    disabled: bool = False


class UserView(UserBody):
    """A user as others see them; never a hash or a secret."""

    id: str
    has_password: bool
    has_totp: bool
    by_provider: bool
    last_login_at: str | None
    created_at: str
    changed_at: str


class Invited(BaseModel):
    """The link by which the user sets their password; shown once, works once, for three days."""

    user: UserView
    link: str


@router.get("", responses=refusals(), summary="List users")
async def list_users(
    parts: PartsDep, visitor: Admin, cursor: Cursor = None, limit: Limit = DEFAULT
) -> Page[UserView]:
    """By name; those within the limits of whoever asks."""
    after = decode_cursor(cursor, NamePosition)
    async with parts.store.read() as unit:
        found = await unit.users.page((after.name, after.row_id) if after else None, limit)
    last = NamePosition(found[-1].name, found[-1].id) if len(found) == limit else None
    return Page(
        items=[view(user) for user in found if _in_reach(visitor, user)],
        next=encode_cursor(last) if last else None,
    )


@router.post("", status_code=201, responses=refusals(409), summary="Create a user")
async def create(body: UserBody, parts: PartsDep, visitor: Admin) -> Invited:
    """Nobody can give more than they have themselves. The user chooses the password by the link."""
    now = visitor.at_wall_ms
    user = User(accounts.user_id(parts), body.name, now, now)
    user = _with(user, body)
    _demand_power(visitor, user)
    async with parts.store.write() as unit:
        if await unit.users.by_name(body.name) is not None:
            raise conflict(f"there is a user '{body.name}' already")
        await unit.users.add(user)
        secret = await accounts.invite(parts, unit.sessions, user)
        await unit.audit.append(visitor.note("user.create", "user", user.id, None, _facts(user)))
    return Invited(user=view(user), link=f"{parts.config.url}/invitation#{secret}")


@router.get("/{user_id}", responses={**refusals(404), 200: ETAG}, summary="See a user")
async def see(user_id: Id, parts: PartsDep, visitor: Admin, response: Response) -> UserView:
    """With the ETag that a change needs."""
    async with parts.store.read() as unit:
        user = await _reachable(unit, visitor, user_id)
    response.headers["ETag"] = etag_of(user.version)
    return view(user)


@router.put("/{user_id}", responses={**refusals(404, 409, 412, 428), 200: ETAG}, summary="Change a user")
async def change(
    user_id: Id, body: UserBody, parts: PartsDep, visitor: Admin, response: Response, if_match: IfMatch = None
) -> UserView:
    """Takes effect at once, for open sessions and keys too."""
    async with parts.store.write() as unit:
        user = await _reachable(unit, visitor, user_id)
        demand_match(if_match, user.version)
        changed = replace(_with(user, body), changed_wall_ms=visitor.at_wall_ms)
        _demand_power(visitor, user)
        _demand_power(visitor, changed)
        other = await unit.users.by_name(body.name)
        if other is not None and other.id != user.id:
            raise conflict(f"there is a user '{body.name}' already")
        if _rules(user) and not _rules(changed):
            await _demand_another_admin(unit, user)
        changed = await unit.users.put(changed)
        if changed.disabled:
            await unit.sessions.end_all_of(user.id)
        await unit.audit.append(visitor.note("user.change", "user", user.id, _facts(user), _facts(changed)))
    response.headers["ETag"] = etag_of(changed.version)
    return view(changed)


@router.delete("/{user_id}", status_code=204, responses=refusals(404, 409, 412, 428), summary="Remove a user")
async def remove(user_id: Id, parts: PartsDep, visitor: Admin, if_match: IfMatch = None) -> None:
    """Their sessions and keys end with them; what they did stays in the audit."""
    async with parts.store.write() as unit:
        user = await _reachable(unit, visitor, user_id)
        demand_match(if_match, user.version)
        _demand_power(visitor, user)
        if _rules(user):
            await _demand_another_admin(unit, user)
        await unit.users.delete(user.id)
        await unit.audit.append(visitor.note("user.remove", "user", user.id, _facts(user), None))


@router.post("/{user_id}/invitation", status_code=201, responses=refusals(404, 409), summary="Invite a user again")
async def invite(user_id: Id, parts: PartsDep, visitor: Admin) -> Invited:
    """For a forgotten password or a lost phone: the authenticator app is forgotten, a new password is asked for."""
    async with parts.store.write() as unit:
        user = await _reachable(unit, visitor, user_id)
        _demand_power(visitor, user)
        if user.oidc_subject is not None:
            raise conflict("this user logs in with the provider")
        forgotten = replace(user, password_hash=None, totp_sealed=None, totp_last_step=0)
        user = await unit.users.put(replace(forgotten, changed_wall_ms=visitor.at_wall_ms))
        await unit.sessions.end_all_of(user.id)
        secret = await accounts.invite(parts, unit.sessions, user)
        await unit.audit.append(visitor.note("user.invite", "user", user.id))
    return Invited(user=view(user), link=f"{parts.config.url}/invitation#{secret}")


def view(user: User) -> UserView:
    """A user as the API shows them."""
    return UserView(
        id=user.id,
        name=user.name,
        display_name=user.display_name,
        email=user.email,
        roles=sorted(roles_of(user)),
        teams=list(user.teams),
        numbers=list(user.numbers),
        disabled=user.disabled,
        has_password=user.password_hash is not None,
        has_totp=user.totp_sealed is not None,
        by_provider=user.oidc_subject is not None,
        last_login_at=iso(user.last_login_wall_ms),
        created_at=moment(user.created_wall_ms),
        changed_at=moment(user.changed_wall_ms),
    )


def _with(user: User, body: UserBody) -> User:
    return replace(
        user,
        name=body.name,
        display_name=body.display_name,
        email=body.email,
        roles=tuple(sorted({role.value for role in body.roles})),
        teams=tuple(body.teams),
        numbers=tuple(body.numbers),
        disabled=body.disabled,
    )


def _facts(user: User) -> dict[str, object]:
    """What the audit keeps of a user."""
    return {
        "name": user.name,
        "display_name": user.display_name,
        "email": user.email,
        "roles": user.roles,
        "teams": user.teams,
        "numbers": user.numbers,
        "disabled": user.disabled,
    }


def _reach(user: User) -> Reach:
    return Reach(user.numbers, user.teams)


def _in_reach(visitor: Visitor, user: User) -> bool:
    return _reach(user).within(visitor.who.reach)


def _demand_power(visitor: Visitor, user: User) -> None:
    """Nobody gives, or takes over with a link, more than they have: not in reach, and not in rights."""
    if not _in_reach(visitor, user):
        raise forbidden("nobody can give a further reach than their own: name teams or numbers that you have")
    if not permissions_of(roles_of(user)) <= visitor.who.allowed:
        raise forbidden("this user has, or would have, rights that you do not have here")


async def _reachable(unit: Unit, visitor: Visitor, user_id: str) -> User:
    user = await unit.users.find(user_id)
    if user is None or not _in_reach(visitor, user):
        raise not_found("user")
    return user


def _rules(user: User) -> bool:
    """Whether this user can manage everything."""
    return Role.ADMIN.value in user.roles and not user.disabled and _reach(user).unlimited


async def _demand_another_admin(unit: Unit, user: User) -> None:
    after: tuple[str, str] | None = None
    while page := await unit.users.page(after, 200):
        if any(_rules(other) for other in page if other.id != user.id):
            return
        after = (page[-1].name, page[-1].id)
    raise conflict("this is the last administrator without limits: make another one first")
