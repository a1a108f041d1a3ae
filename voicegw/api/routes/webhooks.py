"""Webhooks: who is told about what happens in calls, and what could not be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import (
    DEFAULT,
    ETAG,
    Cursor,
    Id,
    IfMatch,
    Limit,
    Name,
    Page,
    iso,
    moment,
    refusals,
)
from voicegw.api.etags import demand_match, etag_of
from voicegw.api.paging import NamePosition, NumberPosition, decode_cursor, encode_cursor
from voicegw.api.parts import PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import conflict, forbidden, invalid, not_found
from voicegw.api.vault import webhook_context
from voicegw.base.ids import token
from voicegw.storage.store import Unit
from voicegw.storage.webhooks import Delivery, DeliveryState, Subscription

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
Keeper = Annotated[Visitor, Depends(Allow(Permission.WEBHOOKS))]
DeliveryId = Annotated[int, Path(ge=1, le=2**53)]
Kind = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,64}$")]


class WebhookBody(BaseModel):
    """``kinds``: names of facts, such as CallHasEnded; empty: all. ``secret``: null keeps or makes one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "crm", "url": "https://crm.example.net/calls", "kinds": ["CallHasEnded"]}]
        },
    )

    name: Name
    url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\s\x00]+$")]
    kinds: list[Kind] = Field(default=[], max_length=100)
    enabled: bool = True
    secret: Annotated[str, StringConstraints(min_length=16, max_length=200, pattern=r"^[^\x00]*$")] | None = None


class WebhookView(BaseModel):
    """A webhook without its secret."""

    id: str
    name: str
    url: str
    kinds: list[str]
    enabled: bool
    created_at: str
    changed_at: str


class NewWebhook(WebhookView):
    """``secret`` is shown this once; deliveries are signed with it."""

    secret: str


class DeliveryView(BaseModel):
    """One message. ``pending`` ones are tried again at ``next_attempt_at``."""

    id: int
    webhook_id: str
    event_id: str
    kind: str
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    next_attempt_at: str | None
    created_at: str
    finished_at: str | None


class AttemptView(BaseModel):
    """One try; ``status`` 0 when no answer came."""

    attempt: int
    at: str
    duration_ms: int
    status: int
    error: str


class DeliveryDetail(DeliveryView):
    """A message with its content and every try."""

    payload: Any
    tries: list[AttemptView]


@router.get("", responses=refusals(), summary="List webhooks")
async def list_webhooks(
    parts: PartsDep, visitor: Keeper, cursor: Cursor = None, limit: Limit = DEFAULT
) -> Page[WebhookView]:
    """By name."""
    _demand_unlimited(visitor)
    after = decode_cursor(cursor, NamePosition)
    async with parts.store.read() as unit:
        found = await unit.subscriptions.page((after.name, after.row_id) if after else None, limit)
    last = NamePosition(found[-1].name, found[-1].id) if len(found) == limit else None
    return Page(items=[view(one) for one in found], next=encode_cursor(last) if last else None)


@router.post("", status_code=201, responses=refusals(409), summary="Create a webhook")
async def create(body: WebhookBody, parts: PartsDep, visitor: Keeper) -> NewWebhook:
    """It is told of everything, so it is for people without limits."""
    _demand_unlimited(visitor)
    _demand_url(body.url)
    secret = body.secret or f"vgw_{token(parts.random, 40)}"
    now, id = visitor.at_wall_ms, f"w_{token(parts.random, 12)}"
    made = Subscription(
        id=id,
        name=body.name,
        url=body.url,
        secret_sealed=parts.vault.seal(secret, webhook_context(id)),
        created_wall_ms=now,
        changed_wall_ms=now,
        kinds=tuple(body.kinds),
        enabled=body.enabled,
    )
    async with parts.store.write() as unit:
        if await unit.subscriptions.by_name(body.name) is not None:
            raise conflict(f"there is a webhook '{body.name}' already")
        await unit.subscriptions.add(made)
        await unit.audit.append(visitor.note("webhook.create", "webhook", id, None, _facts(made)))
    return NewWebhook(**view(made).model_dump(), secret=secret)


@router.get("/{webhook_id}", responses={**refusals(404), 200: ETAG}, summary="See a webhook")
async def see(webhook_id: Id, parts: PartsDep, visitor: Keeper, response: Response) -> WebhookView:
    """Without its secret."""
    async with parts.store.read() as unit:
        found = await _visible(unit, visitor, webhook_id)
    response.headers["ETag"] = etag_of(found.version)
    return view(found)


@router.put("/{webhook_id}", responses={**refusals(404, 409, 412, 428), 200: ETAG}, summary="Change a webhook")
async def change(
    webhook_id: Id,
    body: WebhookBody,
    parts: PartsDep,
    visitor: Keeper,
    response: Response,
    if_match: IfMatch = None,
) -> WebhookView:
    """What is in the outbox goes to the new address."""
    _demand_url(body.url)
    async with parts.store.write() as unit:
        before = await _visible(unit, visitor, webhook_id)
        demand_match(if_match, before.version)
        other = await unit.subscriptions.by_name(body.name)
        if other is not None and other.id != before.id:
            raise conflict(f"there is a webhook '{body.name}' already")
        changed = replace(
            before,
            name=body.name,
            url=body.url,
            kinds=tuple(body.kinds),
            enabled=body.enabled,
            changed_wall_ms=visitor.at_wall_ms,
        )
        if body.secret is not None:
            changed = replace(changed, secret_sealed=parts.vault.seal(body.secret, webhook_context(before.id)))
        changed = await unit.subscriptions.put(changed)
        note = visitor.note("webhook.change", "webhook", before.id, _facts(before), _facts(changed))
        await unit.audit.append(note)
    response.headers["ETag"] = etag_of(changed.version)
    return view(changed)


@router.delete("/{webhook_id}", status_code=204, responses=refusals(404, 412, 428), summary="Remove a webhook")
async def remove(webhook_id: Id, parts: PartsDep, visitor: Keeper, if_match: IfMatch = None) -> None:
    """With everything that was still to be sent to it."""
    async with parts.store.write() as unit:
        before = await _visible(unit, visitor, webhook_id)
        demand_match(if_match, before.version)
        await unit.subscriptions.delete(before.id)
        await unit.audit.append(visitor.note("webhook.remove", "webhook", before.id, _facts(before), None))


@router.get("/{webhook_id}/deliveries", responses=refusals(404), summary="List what was and is to be told")
async def list_deliveries(
    webhook_id: Id,
    parts: PartsDep,
    visitor: Keeper,
    state: Annotated[Literal["pending", "delivered", "dead"] | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT,
) -> Page[DeliveryView]:
    """The newest first; ``state=dead``: what was given up."""
    after = decode_cursor(cursor, NumberPosition)
    async with parts.store.read() as unit:
        await _visible(unit, visitor, webhook_id)
        found = await unit.deliveries.page(
            subscription_id=webhook_id,
            state=DeliveryState(state) if state else None,
            before_id=after.number if after else None,
            limit=limit,
        )
    following = encode_cursor(NumberPosition(found[-1].id)) if len(found) == limit else None
    return Page(items=[_delivery_view(one) for one in found], next=following)


@router.get("/{webhook_id}/deliveries/{delivery_id}", responses=refusals(404), summary="See a message")
async def see_delivery(webhook_id: Id, delivery_id: DeliveryId, parts: PartsDep, visitor: Keeper) -> DeliveryDetail:
    """Its content, and why it did not arrive."""
    async with parts.store.read() as unit:
        found = await _delivery(unit, visitor, webhook_id, delivery_id)
        tries = await unit.deliveries.attempts(delivery_id)
    views = [
        AttemptView(
            attempt=one.attempt,
            at=moment(one.at_wall_ms),
            duration_ms=one.duration_ms,
            status=one.status,
            error=one.error,
        )
        for one in tries
    ]
    payload = msgspec.json.decode(found.payload_json)
    return DeliveryDetail(**_delivery_view(found).model_dump(), payload=payload, tries=views)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/retry",
    status_code=202,
    responses=refusals(404),
    summary="Send a message again",
)
async def retry(webhook_id: Id, delivery_id: DeliveryId, parts: PartsDep, visitor: Keeper) -> DeliveryView:
    """Whatever became of it; at once, and later again if need be."""
    async with parts.store.write() as unit:
        await _delivery(unit, visitor, webhook_id, delivery_id)
        await unit.deliveries.send_again(delivery_id, now_wall_ms=visitor.at_wall_ms)
        await unit.audit.append(visitor.note("webhook.retry", "webhook", webhook_id, None, {"id": delivery_id}))
        found = await unit.deliveries.get(delivery_id)
    return _delivery_view(found)


def view(one: Subscription) -> WebhookView:
    """A webhook as the API shows it."""
    return WebhookView(
        id=one.id,
        name=one.name,
        url=one.url,
        kinds=list(one.kinds),
        enabled=one.enabled,
        created_at=moment(one.created_wall_ms),
        changed_at=moment(one.changed_wall_ms),
    )


def _delivery_view(one: Delivery) -> DeliveryView:
    pending = one.state is DeliveryState.PENDING
    return DeliveryView(
        id=one.id,
        webhook_id=one.subscription_id,
        event_id=one.event_id,
        kind=one.kind,
        state=one.state.value,
        attempts=one.attempts,
        next_attempt_at=moment(one.next_attempt_wall_ms) if pending else None,
        created_at=moment(one.created_wall_ms),
        finished_at=iso(one.finished_wall_ms),
    )


def _facts(one: Subscription) -> dict[str, object]:
    return {"name": one.name, "url": one.url, "kinds": one.kinds, "enabled": one.enabled}


def _demand_url(url: str) -> None:
    """Raise 422 for what no request can be sent to."""
    try:
        parts = urlsplit(url)
        fine = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine:
        raise invalid("url", "is no address that a request can be sent to", "https://host/path")


def _demand_unlimited(visitor: Visitor) -> None:
    if not visitor.who.reach.unlimited:
        raise forbidden("webhooks are told of all calls: they are kept by people without limits")


async def _visible(unit: Unit, visitor: Visitor, webhook_id: str) -> Subscription:
    found = await unit.subscriptions.find(webhook_id)
    if found is None or not visitor.who.reach.unlimited:
        raise not_found("webhook")
    return found


async def _delivery(unit: Unit, visitor: Visitor, webhook_id: str, delivery_id: int) -> Delivery:
    await _visible(unit, visitor, webhook_id)
    found = await unit.deliveries.get(delivery_id)
    if found.subscription_id != webhook_id:
        raise not_found("message")
    return found
