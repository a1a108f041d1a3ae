"""New facts into the outbox of webhooks, in the transaction that stores them: a fact that is stored is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.tables.hooks import webhook_deliveries, webhook_subscriptions
from voicegw.storage.webhooks import DeliveryState


async def feed_outbox(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]], now_wall_ms: int) -> int:
    """Enqueue rows of ``call_events`` for all subscriptions that want them; returns how many messages were made."""
    table = webhook_subscriptions
    query = select(table.c.id, table.c.kinds).where(table.c.enabled)
    wanting = [(one.id, frozenset(one.kinds)) for one in await connection.execute(query)]
    messages = [
        _message(subscription, row, now_wall_ms)
        for row in rows
        for subscription, kinds in wanting
        if not kinds or row["kind"] in kinds
    ]
    if messages:
        await connection.execute(insert(webhook_deliveries), messages)
    return len(messages)


def _message(subscription: str, row: Mapping[str, Any], now_wall_ms: int) -> dict[str, Any]:
    event_id = f"{row['call_id']}-{row['seq']}"
    payload = {
        "id": event_id,
        "kind": row["kind"],
        "call_id": row["call_id"],
        "event": msgspec.Raw(row["content"]),
    }
    return {
        "subscription_id": subscription,
        "event_id": event_id,
        "kind": row["kind"],
        "payload_json": msgspec.json.encode(payload).decode(),
        "state": DeliveryState.PENDING.value,
        "attempts": 0,
        "next_attempt_wall_ms": now_wall_ms,
        "created_wall_ms": now_wall_ms,
    }
