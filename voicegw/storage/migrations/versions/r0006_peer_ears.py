"""What the other side of a leg heard of us, by its RTCP."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Calls of before have none."""
    op.add_column("legs", sa.Column("peer_lost", sa.Integer()))
    for name in ("peer_jitter_ms", "peer_mos"):
        op.add_column("legs", sa.Column(name, sa.Float()))
