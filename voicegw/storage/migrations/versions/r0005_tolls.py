"""What calls out have cost, by toll rule and day or month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Nothing was counted before."""
    op.create_table(
        "toll_spending",
        sa.Column("node", KEY, nullable=False),
        sa.Column("rule", KEY, nullable=False),
        sa.Column("whose", KEY, nullable=False),
        sa.Column("period", KEY, nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("changed_wall_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "rule", "whose", "period", name="pk_toll_spending"),
    )
