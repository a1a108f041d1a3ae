"""What proves that the record is whole: daily anchors over all sealed calls, and certificates of erasures."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table

from voicegw.storage.tables.base import Key, key, metadata, number, text, wall

anchors = Table(
    "anchors",
    metadata,
    Column("anchor_no", Integer, primary_key=True, autoincrement=False),
    wall("until_wall_ms"),
    number("calls"),
    Column("root", LargeBinary, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    wall("made_wall_ms"),
)

anchored_calls = Table(
    "anchored_calls",
    metadata,
    Column("anchor_no", Integer, primary_key=True, autoincrement=False),
    Column("call_id", Key, primary_key=True),
    Column("seal", LargeBinary, nullable=False),
)
Index("ix_anchored_calls_call", anchored_calls.c.call_id)

erasures = Table(
    "erasures",
    metadata,
    Column("id", Key, primary_key=True),
    key("reason"),
    key("actor"),
    wall("made_wall_ms"),
    text("certificate_json"),
    Column("hash", LargeBinary, nullable=False),
)
