"""How the line stands: trunks up or down, and addresses that get no answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import refusals
from voicegw.api.line_board import LineBoard
from voicegw.api.parts import Parts, PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import conflict, forbidden, invalid, not_found
from voicegw.gateway.guard import Ban
from voicegw.gateway.trunk_status import TrunkStatus
from voicegw.sip.address import is_literal, plain_host

router = APIRouter(prefix="/v1", tags=["line"])
Reader = Annotated[Visitor, Depends(Allow(Permission.CONFIG_READ))]
Writer = Annotated[Visitor, Depends(Allow(Permission.TRUNKS))]
Host = Annotated[str, Path(max_length=64, examples=["203.0.113.9"])]
DAY_S = 86_400


class RegistrationView(BaseModel):
    """Our registration at a trunk. ``status`` is of the latest answer: 408 where none came, 0 before the first."""

    registered: bool
    state: str
    address_of_record: str
    server: str
    expires_in_s: float
    next_try_in_s: float
    status: int
    reason: str
    failures: int


class HealthView(BaseModel):
    """What OPTIONS to a trunk came to. ``unanswered`` in a row, ``servers`` are those that answered last."""

    health: str
    since_s: float
    status: int
    round_trip_ms: float
    unanswered: int
    servers: list[str]


class TrunkStateView(BaseModel):
    """A trunk at this moment. ``up``: calls out go by it; ``why`` says why not. ``max_calls`` 0: no limit."""

    name: str
    enabled: bool
    up: bool
    why: str
    calls: int
    max_calls: int
    registration: RegistrationView | None
    health: HealthView | None
    last_error: str


class BanBody(BaseModel):
    """Whom to ignore, and for how long."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"host": "203.0.113.9", "seconds": 3600}]}
    )

    host: str = Field(max_length=64)
    seconds: int = Field(default=3600, ge=1, le=30 * DAY_S)


class BanView(BaseModel):
    """An address that gets no answer, and for how many seconds more."""

    host: str
    reason: str
    ends_in_s: float


@router.get("/trunk-states", responses=refusals(), summary="How the trunks stand")
async def trunk_states(parts: PartsDep, visitor: Reader) -> list[TrunkStateView]:
    """By name: registration, signs of life, calls now, and what went wrong last."""
    return [_view(one) for one in _board(parts).trunks() if visitor.who.scope.has_trunk(one.name)]


@router.get("/guard/bans", responses=refusals(), summary="Whom the guard ignores")
async def list_bans(parts: PartsDep, _visitor: Reader) -> list[BanView]:
    """The ones that last longest come first."""
    found = sorted(_board(parts).bans(), key=lambda one: -one[1])
    return [_ban(ban, left_s) for ban, left_s in found]


@router.post("/guard/bans", status_code=204, responses=refusals(409), summary="Ignore an address")
async def ban(body: BanBody, parts: PartsDep, visitor: Writer) -> None:
    """Messages of it are dropped unread. Calls that it has are not ended, but it is not heard in them either."""
    _demand_unlimited(visitor)
    host = _address(body.host)
    if not await _board(parts).ban(host, float(body.seconds)):
        raise conflict("this address is a trunk's, or trusted: change sip.guard.trusted or the trunk")
    async with parts.store.write() as unit:
        await unit.audit.append(visitor.note("guard.ban", "address", host, None, {"seconds": body.seconds}))


@router.delete("/guard/bans/{host}", status_code=204, responses=refusals(404), summary="Hear an address again")
async def pardon(host: Host, parts: PartsDep, visitor: Writer) -> None:
    """It begins anew, as a stranger."""
    _demand_unlimited(visitor)
    address = _address(host)
    if not await _board(parts).pardon(address):
        raise not_found("ban")
    async with parts.store.write() as unit:
        await unit.audit.append(visitor.note("guard.pardon", "address", address))


def _board(parts: Parts) -> LineBoard:
    assert parts.line is not None, "without a line these routes are not there"
    return parts.line


def _address(text: str) -> str:
    host = plain_host(text)
    if not is_literal(host):
        raise invalid("host", "is no IP address", "write 203.0.113.9 or 2001:db8::9")
    return host


def _demand_unlimited(visitor: Visitor) -> None:
    """Addresses belong to no team."""
    if not visitor.who.reach.unlimited:
        raise forbidden("only people without limits may change whom the guard ignores")


def _ban(ban: Ban, left_s: float) -> BanView:
    return BanView(host=ban.host, reason=ban.reason.value, ends_in_s=round(left_s, 1))


def _view(one: TrunkStatus) -> TrunkStateView:
    registration, health = one.registration, one.health
    return TrunkStateView(
        name=one.name,
        enabled=one.enabled,
        up=one.up,
        why=one.why,
        calls=one.calls,
        max_calls=one.max_calls,
        registration=None
        if registration is None
        else RegistrationView(
            registered=registration.registered,
            state=registration.state,
            address_of_record=registration.address_of_record,
            server=registration.server,
            expires_in_s=round(registration.expires_in_s, 1),
            next_try_in_s=round(registration.next_try_in_s, 1),
            status=registration.status,
            reason=registration.reason,
            failures=registration.failures,
        ),
        health=None
        if health is None
        else HealthView(
            health=health.health.name.lower(),
            since_s=round(health.since_s, 1),
            status=health.status,
            round_trip_ms=round(health.round_trip_ms, 1),
            unanswered=health.unanswered,
            servers=list(health.servers),
        ),
        last_error=one.last_error,
    )
