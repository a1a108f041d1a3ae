"""Whether the tables of a database are those that the code expects."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from voicegw.storage.tables import metadata
from voicegw.storage.word_index import WORD_INDEX


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """For Alembic: all but the index of words."""
    return not (kind == "table" and name is not None and name.startswith(WORD_INDEX))


def differences(connection: Connection) -> list[Any]:
    """What Alembic would change to bring the database to the tables of the code; empty when nothing differs."""
    options: dict[str, Any] = {"include_name": is_ours, "compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))
