"""Every change of the tables since the first release, for Alembic. Run by ``Database.migrate``, never by hand."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

DIRECTORY = Path(__file__).parent


def newest_revision() -> str:
    """What a database has that is up to date: files are named by their revision, ``r0001_initial.py``."""
    return max(path.name[1:5] for path in (DIRECTORY / "versions").glob("r[0-9][0-9][0-9][0-9]_*.py"))


def revision_of(connection: Connection) -> str | None:
    """What a database has, read from where Alembic writes it; None for a new one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
