"""Webhook subscriptions and their outbox: what is to be told is stored in the transaction that made it true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.errors import NotFound
from voicegw.storage.keyed import KeyedRepository
from voicegw.storage.tables.hooks import webhook_attempts, webhook_deliveries, webhook_subscriptions


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told (``url``) about what (``kinds``; empty: everything)."""

    id: str
    name: str
    url: str
    secret_sealed: bytes
    created_wall_ms: int
    changed_wall_ms: int
    version: int = 1
    kinds: tuple[str, ...] = ()
    enabled: bool = True
    settings_json: str = "{}"


class DeliveryState(Enum):
    """PENDING is tried until it is DELIVERED, or DEAD and waits for somebody to send it again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one subscriber. ``event_id`` is the receiver's means to notice repetitions."""

    id: int
    subscription_id: str
    event_id: str
    kind: str
    payload_json: str
    state: DeliveryState
    attempts: int
    next_attempt_wall_ms: int
    created_wall_ms: int
    finished_wall_ms: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: the HTTP status, or 0 and the error."""

    delivery_id: int
    attempt: int
    at_wall_ms: int
    duration_ms: int
    status: int
    error: str


class SubscriptionRepository(KeyedRepository[Subscription]):
    """Subscriptions."""

    table = webhook_subscriptions
    record = Subscription

    async def wanting(self, kind: str) -> list[Subscription]:
        """All enabled subscriptions that want to hear of events of this kind."""
        query = select(webhook_subscriptions).where(webhook_subscriptions.c.enabled)
        rows = (await self._connection.execute(query.order_by(webhook_subscriptions.c.name))).mappings()
        return [one for row in rows if kind in (one := Subscription(**row)).kinds or not one.kinds]


class DeliveryRepository:
    """The outbox."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def enqueue(
        self, subscriptions: Iterable[str], event_id: str, kind: str, payload_json: str, *, now_wall_ms: int
    ) -> None:
        """Put a message to these subscriptions into the outbox; raises Conflict where it is there already."""
        common = {"event_id": event_id, "kind": kind, "payload_json": payload_json, "attempts": 0}
        common |= {"state": DeliveryState.PENDING.value, "next_attempt_wall_ms": now_wall_ms}
        rows = [{**common, "subscription_id": one, "created_wall_ms": now_wall_ms} for one in subscriptions]
        if rows:
            await self._connection.execute(insert(webhook_deliveries), rows)

    async def claim_due(self, *, now_wall_ms: int, lease_ms: int, limit: int = 20) -> list[Delivery]:
        """Take what is due, the oldest first, and nobody else does for ``lease_ms``; each counts as an attempt."""
        columns = webhook_deliveries.c
        pending = columns.state == DeliveryState.PENDING.value
        due = (
            select(columns.id)
            .where(pending, columns.next_attempt_wall_ms <= now_wall_ms)
            .order_by(columns.next_attempt_wall_ms, columns.id)
            .limit(limit)
            .with_for_update(skip_locked=True)  # SQLite has one writer at a time and no such words
        )
        taken = (
            update(webhook_deliveries)
            .where(columns.id.in_(due.scalar_subquery()))
            .values(next_attempt_wall_ms=now_wall_ms + lease_ms, attempts=columns.attempts + 1)
            .returning(*columns)
        )
        return sorted((_delivery(row) for row in await self._connection.execute(taken)), key=lambda one: one.id)

    async def delivered(self, attempt: Attempt) -> None:
        """The receiver said 2xx."""
        ended = {"state": DeliveryState.DELIVERED.value, "finished_wall_ms": attempt.at_wall_ms}
        await self._note(attempt, ended)

    async def failed(self, attempt: Attempt, next_attempt_wall_ms: int | None) -> None:
        """It did not; try again then, or None: give up, it is a dead letter."""
        if next_attempt_wall_ms is not None:
            await self._note(attempt, {"next_attempt_wall_ms": next_attempt_wall_ms})
        else:
            ended = {"state": DeliveryState.DEAD.value, "finished_wall_ms": attempt.at_wall_ms}
            await self._note(attempt, ended)

    async def send_again(self, id: int, *, now_wall_ms: int) -> None:
        """Take a message up once more, whatever became of it; raises NotFound."""
        values = {
            "state": DeliveryState.PENDING.value,
            "next_attempt_wall_ms": now_wall_ms,
            "finished_wall_ms": None,
        }
        again = update(webhook_deliveries).where(webhook_deliveries.c.id == id).values(values)
        if (await self._connection.execute(again)).rowcount == 0:
            raise NotFound(f"there is no delivery {id}")

    async def get(self, id: int) -> Delivery:
        """One message; raises NotFound."""
        query = select(webhook_deliveries).where(webhook_deliveries.c.id == id)
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise NotFound(f"there is no delivery {id}")
        return _delivery(row)

    async def page(
        self,
        *,
        subscription_id: str | None = None,
        state: DeliveryState | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[Delivery]:
        """A page of messages, the newest first."""
        columns = webhook_deliveries.c
        query = select(webhook_deliveries).order_by(columns.id.desc()).limit(limit)
        if subscription_id is not None:
            query = query.where(columns.subscription_id == subscription_id)
        if state is not None:
            query = query.where(columns.state == state.value)
        if before_id is not None:
            query = query.where(columns.id < before_id)
        return [_delivery(row) for row in await self._connection.execute(query)]

    async def attempts(self, id: int) -> list[Attempt]:
        """Every try of a message, in order."""
        mine = webhook_attempts.c.delivery_id == id
        query = select(webhook_attempts).where(mine).order_by(webhook_attempts.c.attempt)
        return [Attempt(**row) for row in (await self._connection.execute(query)).mappings()]

    async def forget_delivered(self, before_wall_ms: int) -> int:
        """Delete messages that were delivered before that moment; dead letters stay. Returns how many."""
        columns = webhook_deliveries.c
        old = and_(columns.state == DeliveryState.DELIVERED.value, columns.finished_wall_ms < before_wall_ms)
        return (await self._connection.execute(delete(webhook_deliveries).where(old))).rowcount

    async def _note(self, attempt: Attempt, values: dict[str, Any]) -> None:
        mine = webhook_deliveries.c.id == attempt.delivery_id
        there = (await self._connection.execute(update(webhook_deliveries).where(mine).values(values))).rowcount
        if there:  # it may have been erased, or its subscription removed, while it was being sent
            row = {field: getattr(attempt, field) for field in Attempt.__slots__}
            await self._connection.execute(insert(webhook_attempts).values(row))


def _delivery(row: Row[Any]) -> Delivery:
    values = dict(row._mapping)
    return Delivery(**{**values, "state": DeliveryState(values["state"])})
