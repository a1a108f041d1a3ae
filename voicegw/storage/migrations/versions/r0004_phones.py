"""Phones of people: accounts and registrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Nobody has one yet."""
    op.create_table(
        "phones",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("owner", KEY, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary()),
        sa.Column("created_wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_phones"),
        sa.UniqueConstraint("name", name="uq_phones_name"),
    )
    op.create_table(
        "phone_bindings",
        sa.Column("phone", KEY, nullable=False),
        sa.Column("bindings_json", sa.Text(), nullable=False),
        sa.Column("changed_wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("phone", name="pk_phone_bindings"),
    )
