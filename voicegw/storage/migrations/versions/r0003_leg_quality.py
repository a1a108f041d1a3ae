"""How legs sounded: their MOS and round-trip time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Calls of before have none."""
    for name in ("mos", "round_trip_ms"):
        op.add_column("legs", sa.Column(name, sa.Float()))
