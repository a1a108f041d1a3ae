"""Webhooks: who wants to be told what, and the outbox of what is still to be told."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table

from voicegw.storage.tables.base import Key, Serial, Words, key, metadata, number, text, wall

webhook_subscriptions = Table(
    "webhook_subscriptions",
    metadata,
    Column("id", Key, primary_key=True),
    key("name", unique=True),
    number("version"),
    text("url"),
    Column("kinds", Words, nullable=False),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("enabled", Boolean, nullable=False),
    text("settings_json"),
    wall("created_wall_ms"),
    wall("changed_wall_ms"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("subscription_id", Key, ForeignKey("webhook_subscriptions.id", ondelete="CASCADE"), nullable=False),
    key("event_id"),
    key("kind"),
    text("payload_json"),
    key("state"),
    number("attempts"),
    wall("next_attempt_wall_ms"),
    wall("created_wall_ms"),
    wall("finished_wall_ms", nullable=True),
)
Index(
    "uq_webhook_deliveries_event",
    webhook_deliveries.c.subscription_id,
    webhook_deliveries.c.event_id,
    unique=True,
)
Index("ix_webhook_deliveries_due", webhook_deliveries.c.state, webhook_deliveries.c.next_attempt_wall_ms)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("delivery_id", Serial, ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    wall("at_wall_ms"),
    number("duration_ms"),
    number("status"),
    text("error"),
)
