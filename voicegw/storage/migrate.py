"""Migrations by Alembic. Imported where there is something to migrate, and by nothing else."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from voicegw.storage.migrations import DIRECTORY


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's own configuration, for migrations over this connection."""
    config = Config()
    config.set_main_option("script_location", str(DIRECTORY))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the tables up to a revision, within the transaction of the connection."""
    command.upgrade(alembic_config(connection), revision)
