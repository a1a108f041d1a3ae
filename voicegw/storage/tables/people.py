"""Who may do what: users, keys, sessions, one-time links, and the audit of what they did."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from voicegw.storage.tables.base import Key, WallMs, Words, key, metadata, number, text, wall

users = Table(
    "users",
    metadata,
    Column("id", Key, primary_key=True),
    key("name", unique=True),
    number("version"),
    text("display_name"),
    text("email"),
    Column("disabled", Boolean, nullable=False),
    Column("roles", Words, nullable=False),
    Column("teams", Words, nullable=False),
    Column("numbers", Words, nullable=False),
    text("settings_json"),
    Column("password_hash", Text),
    Column("totp_sealed", LargeBinary),
    number("totp_last_step"),
    Column("oidc_subject", Key, unique=True),
    number("failed_logins"),
    wall("locked_until_wall_ms"),
    wall("last_login_wall_ms", nullable=True),
    wall("created_wall_ms"),
    wall("changed_wall_ms"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Key, primary_key=True),
    key("name", unique=True),
    number("version"),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("user_id", Key, ForeignKey("users.id", ondelete="CASCADE")),
    Column("scopes", Words, nullable=False),
    Column("teams", Words, nullable=False),
    Column("numbers", Words, nullable=False),
    key("created_by"),
    wall("created_wall_ms"),
    wall("expires_wall_ms", nullable=True),
    wall("last_used_wall_ms", nullable=True),
    wall("revoked_wall_ms", nullable=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", Key, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("second_factor", Boolean, nullable=False),
    text("data_json"),
    text("peer"),
    wall("created_wall_ms"),
    wall("seen_wall_ms"),
    Column("expires_wall_ms", WallMs, nullable=False, index=True),
)

one_time_tokens = Table(
    "one_time_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    key("purpose"),
    text("data_json"),
    Column("expires_wall_ms", WallMs, nullable=False, index=True),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at_wall_ms", WallMs, nullable=False, index=True),
    key("actor"),
    key("actor_kind"),
    key("action"),
    key("object_kind"),
    key("object_id"),
    Column("salt", LargeBinary),
    Column("content", LargeBinary),
    Column("commitment", LargeBinary, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("erasure_id", Key),
)
Index("ix_audit_object", audit.c.object_kind, audit.c.object_id, audit.c.seq)
Index("ix_audit_actor", audit.c.actor, audit.c.seq)
