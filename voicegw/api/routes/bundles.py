"""Taking an agent, or everything, to another server: one YAML out, one YAML in."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from voicegw.api import publishing
from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import NameInPath, refusals
from voicegw.api.bundle import MEDIA_TYPE, Bundle, BundledTrunk, read_bundle, write_bundle
from voicegw.api.in_force import in_force
from voicegw.api.installation import AGENT, DIALPLAN
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission, Team
from voicegw.api.problems import ApiProblem, forbidden, invalid, not_found, wrong_document
from voicegw.api.routes.teams import view as team_view
from voicegw.api.teams import TEAM, TeamBody, encode_team
from voicegw.base.errors import ConfigError
from voicegw.base.ids import token
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.storage.admin import Trunk
from voicegw.storage.store import Unit

router = APIRouter(prefix="/v1", tags=["bundles"])
Reader = Annotated[Visitor, Depends(Allow(Permission.CONFIG_READ))]
Publisher = Annotated[Visitor, Depends(Allow(Permission.CONFIG_PUBLISH))]

_YAML: dict[int | str, dict[str, Any]] = {
    200: {"description": "the bundle", "content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}
}
_EXAMPLE = {"voicegw_bundle": 1, "agents": {"hello": "name: hello\nsteps:\n  - hangup: Goodbye.\n"}}
_IN = {
    "requestBody": {
        "required": True,
        "content": {MEDIA_TYPE: {"schema": {"type": "object"}, "example": _EXAMPLE}},
    }
}
_MAX_BYTES = 4_000_000


class Imported(BaseModel):
    """What is in force now, and which trunks still need their password."""

    agents: list[str]
    dialplans: list[str]
    trunks: list[str]
    teams: list[str]
    passwords_needed: list[str]


@router.get("/bundle", response_class=Response, responses={**refusals(), **_YAML}, summary="Export everything")
async def export_all(parts: PartsDep, visitor: Reader) -> Response:
    """What is in force: agents, dialplans, trunks, teams; no users, no secrets. For people without limits."""
    _demand_unlimited(visitor)
    async with parts.store.write() as unit:
        bundle = await _whole(unit)
        await unit.audit.append(visitor.note("bundle.export", "bundle", "all"))
    return Response(write_bundle(bundle), media_type=MEDIA_TYPE)


@router.get(
    "/agents/{name}/bundle",
    response_class=Response,
    responses={**refusals(404), **_YAML},
    summary="Export an agent",
)
async def export_agent(name: NameInPath, parts: PartsDep, visitor: Reader) -> Response:
    """As it is in force, or its latest draft."""
    async with parts.store.write() as unit:
        document = await unit.documents.find(AGENT, name)
        if document is None or not visitor.who.scope.has_agent(name):
            raise not_found(AGENT)
        version = await unit.documents.version(AGENT, name, document.published or document.latest)
        await unit.audit.append(visitor.note("bundle.export", AGENT, name))
    bundle = Bundle(voicegw_bundle=1, agents={name: version.content.decode("utf-8", "replace")})
    return Response(write_bundle(bundle), media_type=MEDIA_TYPE)


@router.post("/bundle", responses=refusals(), openapi_extra=_IN, summary="Import")
async def import_bundle(request: Request, parts: PartsDep, visitor: Publisher) -> Imported:
    """All or nothing: the whole is checked as it would be, then put in force. Limited people: their agents only."""
    bundle = _read(await request.body())
    _demand_reach(visitor, bundle)
    async with parts.store.write() as unit:
        documents = await in_force(unit)
        for kind, texts in ((AGENT, bundle.agents), (DIALPLAN, bundle.dialplans)):
            for name, text in texts.items():
                documents = documents.changed(kind, name, text)
                await _publish(unit, visitor, kind, name, text.encode())
        for name, team in bundle.teams.items():
            await _publish(unit, visitor, TEAM, name, encode_team(_team(name, team)))
        for name, trunk in bundle.trunks.items():
            await _put_trunk(unit, parts, visitor, name, trunk)
        after = {"agents": sorted(bundle.agents), "dialplans": sorted(bundle.dialplans)}
        note = {**after, "trunks": sorted(bundle.trunks), "teams": sorted(bundle.teams)}
        await unit.audit.append(visitor.note("bundle.import", "bundle", "", None, note))
        needed = [name for name in bundle.trunks if await _lacks_password(unit, name, bundle.trunks[name])]
        if bundle.agents or bundle.dialplans:
            await publishing.install(parts, documents)
    if bundle.trunks:
        await parts.trunks.changed()
    return Imported(
        agents=sorted(bundle.agents),
        dialplans=sorted(bundle.dialplans),
        trunks=sorted(bundle.trunks),
        teams=sorted(bundle.teams),
        passwords_needed=needed,
    )


def _read(body: bytes) -> Bundle:
    try:
        if len(body) > _MAX_BYTES:
            raise ApiProblem(413, f"a bundle has at most {_MAX_BYTES} bytes")
        return read_bundle(body.decode())
    except UnicodeDecodeError:
        raise invalid("", "is not UTF-8 text", "save it as UTF-8") from None
    except ConfigError as error:
        raise wrong_document(error, "") from None


def _demand_reach(visitor: Visitor, bundle: Bundle) -> None:
    if bundle.trunks and not visitor.who.may(Permission.TRUNKS):
        raise forbidden(f"trunks need the permission '{Permission.TRUNKS}'")
    if bundle.teams and not (visitor.who.may(Permission.USERS) and visitor.who.reach.unlimited):
        raise forbidden("teams are changed by administrators without limits")
    scope = visitor.who.scope
    fine = (
        all(map(scope.has_agent, bundle.agents))
        and all(map(scope.has_dialplan, bundle.dialplans))
        and all(map(scope.has_trunk, bundle.trunks))
    )
    if not fine:
        raise forbidden("the bundle has something that is in none of your teams")


def _demand_unlimited(visitor: Visitor) -> None:
    if not visitor.who.reach.unlimited:
        raise forbidden("everything is exported by people without limits; export your agents one by one")


async def _whole(unit: Unit) -> Bundle:
    documents = await in_force(unit)
    teams = await unit.documents.published(TEAM)
    trunks: dict[str, BundledTrunk] = {}
    after: tuple[str, str] | None = None
    while page := await unit.trunks.page(after, 200):
        trunks |= {one.name: _bundled(one) for one in page}
        after = (page[-1].name, page[-1].id)
    return Bundle(
        voicegw_bundle=1,
        agents=dict(documents.agents),
        dialplans=dict(documents.dialplans),
        trunks=trunks,
        teams={name: TeamBody(**team_view(one).model_dump(exclude={"name"})) for name, one in teams.items()},
    )


def _bundled(trunk: Trunk) -> BundledTrunk:
    settings = TrunkSettings.model_validate_json(trunk.settings_json)
    return BundledTrunk(settings=settings, enabled=trunk.enabled, password_needed=trunk.secret_sealed is not None)


def _team(name: str, body: TeamBody) -> Team:
    return Team(name, tuple(body.numbers), tuple(body.agents), tuple(body.dialplans), tuple(body.trunks))


async def _publish(unit: Unit, visitor: Visitor, kind: str, name: str, content: bytes) -> None:
    author, now = visitor.who.user_name, visitor.at_wall_ms
    saved = await unit.documents.save(kind, name, content, author=author, now_wall_ms=now, origin="bundle")
    await unit.documents.publish(kind, name, saved.version, author=author, now_wall_ms=now)


async def _put_trunk(unit: Unit, parts: Parts, visitor: Visitor, name: str, body: BundledTrunk) -> None:
    """A trunk that is there keeps its password."""
    now, settings = visitor.at_wall_ms, body.settings.model_dump_json()
    known = await unit.trunks.by_name(name)
    if known is None:
        await unit.trunks.add(Trunk(f"t_{token(parts.random, 12)}", name, settings, now, now, enabled=body.enabled))
    else:
        await unit.trunks.put(replace(known, settings_json=settings, enabled=body.enabled, changed_wall_ms=now))


async def _lacks_password(unit: Unit, name: str, body: BundledTrunk) -> bool:
    trunk = await unit.trunks.by_name(name)
    return body.password_needed and (trunk is None or trunk.secret_sealed is None)
