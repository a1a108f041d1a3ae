"""What all tables share: column types that mean the same in SQLite and in PostgreSQL, and names for constraints.

Times are integers, milliseconds since 1970 UTC (``*_wall_ms``): they sort, compare and come back alike in every
database. Structured values are JSON text, because nothing is looked up inside them.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Dialect, Integer, MetaData, Text
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Key = Text().with_variant(Text(collation="C"), "postgresql")
"""Ids, numbers and names: compared byte by byte, so that pages and prefixes do not depend on a locale."""
WallMs = BigInteger()
Serial = BigInteger().with_variant(Integer(), "sqlite")
"""An integer that the database counts up; SQLite does so for INTEGER only."""


class Words(TypeDecorator[tuple[str, ...]]):
    """A tuple of short strings, as a JSON list."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, _dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, _dialect: Dialect) -> tuple[str, ...] | None:
        return None if value is None else msgspec.json.decode(value, type=tuple[str, ...])


def key(name: str, **options: Any) -> Column[str]:
    """A text that must be there."""
    return Column(name, Key, nullable=False, **options)


def text(name: str) -> Column[str]:
    """A text that must be there but may be empty."""
    return Column(name, Text, nullable=False)


def number(name: str) -> Column[int]:
    """An integer that must be there."""
    return Column(name, Integer, nullable=False)


def wall(name: str, *, nullable: bool = False) -> Column[int]:
    """A moment."""
    return Column(name, WallMs, nullable=nullable)
