"""What an administrator writes: agents and dialplans with all their versions, trunks, sealed secrets."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKeyConstraint, Integer, LargeBinary, Table

from voicegw.storage.tables.base import Key, key, metadata, number, text, wall

documents = Table(
    "documents",
    metadata,
    Column("kind", Key, primary_key=True),
    Column("name", Key, primary_key=True),
    number("latest"),
    Column("published", Integer),
    wall("created_wall_ms"),
    wall("changed_wall_ms"),
)

document_versions = Table(
    "document_versions",
    metadata,
    Column("kind", Key, primary_key=True),
    Column("name", Key, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    key("state"),
    Column("content", LargeBinary, nullable=False),
    key("sha256"),
    key("origin"),
    key("author"),
    text("note"),
    wall("created_wall_ms"),
    wall("published_wall_ms", nullable=True),
    key("published_by"),
    ForeignKeyConstraint(["kind", "name"], ["documents.kind", "documents.name"], ondelete="CASCADE"),
)

trunks = Table(
    "trunks",
    metadata,
    Column("id", Key, primary_key=True),
    key("name", unique=True),
    number("version"),
    Column("enabled", Boolean, nullable=False),
    text("settings_json"),
    Column("secret_sealed", LargeBinary),
    wall("created_wall_ms"),
    wall("changed_wall_ms"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Key, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    wall("changed_wall_ms"),
    key("changed_by"),
)
