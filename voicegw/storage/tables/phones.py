"""Phones of people: their accounts, and where they are registered."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, LargeBinary, Table

from voicegw.storage.tables.base import Key, key, metadata, number, text, wall

phones = Table(
    "phones",
    metadata,
    Column("id", Key, primary_key=True),
    key("name", unique=True),
    number("version"),
    text("display_name"),
    key("owner"),
    Column("enabled", Boolean, nullable=False),
    Column("secret_sealed", LargeBinary),
    wall("created_wall_ms"),
    wall("changed_wall_ms"),
)

phone_bindings = Table(
    "phone_bindings",
    metadata,
    Column("phone", Key, primary_key=True),
    text("bindings_json"),
    wall("changed_wall_ms"),
)
