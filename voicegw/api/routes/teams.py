"""Teams: which numbers, agents, dialplans and trunks belong together."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import ETAG, IfMatch, IfNoneMatch, NameInPath, Page, refusals
from voicegw.api.etags import demand_match, etag_of
from voicegw.api.parts import PartsDep
from voicegw.api.permissions import Permission, Team
from voicegw.api.problems import conflict, forbidden, not_found
from voicegw.api.teams import TEAM, TeamBody, decode_team, encode_team
from voicegw.storage.documents import DocumentVersion
from voicegw.storage.store import Unit

router = APIRouter(prefix="/v1/teams", tags=["users"])
Reader = Annotated[Visitor, Depends(Allow(Permission.CONFIG_READ))]
Admin = Annotated[Visitor, Depends(Allow(Permission.USERS))]


class TeamView(TeamBody):
    """A team."""

    name: str


@router.get("", responses=refusals(), summary="List teams")
async def list_teams(parts: PartsDep, visitor: Reader) -> Page[TeamView]:
    """By name; for people with limits, their own."""
    async with parts.store.read() as unit:
        found = await unit.documents.published(TEAM)
    return Page(items=[view(one) for one in found.values() if _may_see(visitor, one.name)])


@router.get("/{name}", responses={**refusals(404), 200: ETAG}, summary="See a team")
async def see(name: NameInPath, parts: PartsDep, visitor: Reader, response: Response) -> TeamView:
    """With the ETag that a change needs."""
    async with parts.store.read() as unit:
        found = await _published(unit, name)
    if found is None or not _may_see(visitor, name):
        raise not_found("team")
    response.headers["ETag"] = etag_of(found.version)
    return view(found)


@router.put("/{name}", responses={**refusals(404, 409, 412, 428), 200: ETAG}, summary="Create or change a team")
async def put(
    name: NameInPath,
    body: TeamBody,
    parts: PartsDep,
    visitor: Admin,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> TeamView:
    """``If-None-Match: *`` to create, ``If-Match`` to change. Needs an administrator without limits."""
    _demand_unlimited(visitor)
    team = Team(name, tuple(body.numbers), tuple(body.agents), tuple(body.dialplans), tuple(body.trunks))
    now, author = visitor.at_wall_ms, visitor.who.user_name
    async with parts.store.write() as unit:
        before = await _published(unit, name)
        if before is None and if_none_match == "*":
            pass
        elif before is None:
            raise not_found("team")
        elif if_none_match == "*":
            raise conflict(f"there is a team '{name}' already")
        else:
            demand_match(if_match, before.version)
        saved = await unit.documents.save(TEAM, name, encode_team(team), author=author, now_wall_ms=now)
        saved = await unit.documents.publish(TEAM, name, saved.version, author=author, now_wall_ms=now)
        was = view(before).model_dump() if before else None
        await unit.audit.append(visitor.note("team.put", "team", name, was, view(saved).model_dump()))
    response.headers["ETag"] = etag_of(saved.version)
    return view(saved)


@router.delete("/{name}", status_code=204, responses=refusals(404, 409, 412, 428), summary="Remove a team")
async def remove(name: NameInPath, parts: PartsDep, visitor: Admin, if_match: IfMatch = None) -> None:
    """What it had stays; people who were limited to it reach nothing by it any more."""
    _demand_unlimited(visitor)
    async with parts.store.write() as unit:
        before = await _published(unit, name)
        if before is None:
            raise not_found("team")
        demand_match(if_match, before.version)
        await unit.documents.archive(TEAM, name, now_wall_ms=visitor.at_wall_ms)
        await unit.audit.append(visitor.note("team.remove", "team", name, view(before).model_dump(), None))


def view(version: DocumentVersion) -> TeamView:
    """A team as the API shows it."""
    team = decode_team(version)
    return TeamView(
        name=team.name,
        numbers=list(team.numbers),
        agents=list(team.agents),
        dialplans=list(team.dialplans),
        trunks=list(team.trunks),
    )


async def _published(unit: Unit, name: str) -> DocumentVersion | None:
    document = await unit.documents.find(TEAM, name)
    if document is None or document.published is None:
        return None
    return await unit.documents.version(TEAM, name, document.published)


def _may_see(visitor: Visitor, name: str) -> bool:
    return visitor.who.reach.unlimited or name in visitor.who.reach.teams


def _demand_unlimited(visitor: Visitor) -> None:
    if not visitor.who.reach.unlimited:
        raise forbidden("teams are changed by administrators without limits")
