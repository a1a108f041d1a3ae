"""Alembic's entry: it runs the revisions on the connection that :mod:`voicegw.storage.database` hands over."""

from __future__ import annotations

from alembic import context

from voicegw.storage.schema_check import is_ours
from voicegw.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_name=is_ours,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
