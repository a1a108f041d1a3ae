"""What calls out have cost: one row for each node, so that no two of them write the same one."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table

from voicegw.storage.tables.base import Key, metadata, wall

toll_spending = Table(
    "toll_spending",
    metadata,
    Column("node", Key, primary_key=True),
    Column("rule", Key, primary_key=True),
    Column("whose", Key, primary_key=True),
    Column("period", Key, primary_key=True),
    Column("micros", BigInteger, nullable=False),
    wall("changed_wall_ms"),
)
