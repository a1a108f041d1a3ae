"""Calls: the facts, append-only and chained, and what is folded from them for lists, search and pages.

``call_events`` is the truth. ``calls``, ``legs``, ``transcripts``, ``turns``, ``recordings`` and the index of words
can be made anew from it. A hash covers a commitment to the content, not the content itself, so that the content of
an event can be erased while the chain still proves that nothing else was touched (``storage/chain.py``).
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, Table, Text

from voicegw.storage.tables.base import Key, Serial, key, metadata, number, text, wall

calls = Table(
    "calls",
    metadata,
    Column("number", Serial, primary_key=True),
    key("id", unique=True),
    key("node"),
    key("state"),
    key("sip_call_id"),
    key("called"),
    key("calling"),
    text("display_name"),
    wall("started_wall_ms"),
    wall("answered_wall_ms", nullable=True),
    wall("ended_wall_ms", nullable=True),
    Column("duration_ms", Integer),
    key("route"),
    key("agent"),
    key("cause"),
    key("side"),
    Column("failure", Boolean, nullable=False),
    number("q850"),
    number("caller_turns"),
    number("barge_ins"),
    Column("response_p50_ms", Float),
    Column("has_recording", Boolean, nullable=False),
    # The chain of its events: how many, the number and hash of the last, and the seal when it is over.
    number("events"),
    number("head_seq"),
    Column("head_hash", LargeBinary, nullable=False),
    Column("seal", LargeBinary),
    wall("sealed_wall_ms", nullable=True),
    Column("erasure_id", Key),
)
Index("ix_calls_started", calls.c.started_wall_ms.desc(), calls.c.id.desc())
for _column in ("called", "calling", "agent", "cause", "state"):
    Index(f"ix_calls_{_column}_started", calls.c[_column], calls.c.started_wall_ms.desc(), calls.c.id.desc())

call_tags = Table(
    "call_tags",
    metadata,
    Column("call_id", Key, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", Key, primary_key=True),
)
Index("ix_call_tags_tag", call_tags.c.tag, call_tags.c.call_id)

call_events = Table(
    "call_events",
    metadata,
    Column("call_id", Key, ForeignKey("calls.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    key("kind"),
    Column("salt", LargeBinary),
    Column("content", LargeBinary),
    Column("commitment", LargeBinary, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("erasure_id", Key),
    sqlite_with_rowid=False,
)

legs = Table(
    "legs",
    metadata,
    Column("call_id", Key, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("leg_no", Integer, primary_key=True, autoincrement=False),
    key("role"),
    text("party"),
    key("codec"),
    key("remote"),
    Column("packets_sent", Integer),
    Column("packets_received", Integer),
    Column("packets_lost", Integer),
    Column("packets_late", Integer),
    Column("jitter_ms", Float),
    Column("mos", Float),
    Column("round_trip_ms", Float),
    Column("peer_lost", Integer),
    Column("peer_jitter_ms", Float),
    Column("peer_mos", Float),
)

transcripts = Table(
    "transcripts",
    metadata,
    Column("call_id", Key, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("line_no", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", Float, nullable=False),
    key("speaker"),
    Column("text", Text, nullable=False),
    Column("interrupted", Boolean, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("call_id", Key, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("turn_no", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", Float, nullable=False),
    *(
        Column(f"{stage}_ms", Float, nullable=False)
        for stage in ("endpointing", "asr", "agent", "tts", "playout", "total")
    ),
)

recordings = Table(
    "recordings",
    metadata,
    Column("call_id", Key, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    text("path"),
    Column("samples", Integer, nullable=False),
    Column("dropped_samples", Integer, nullable=False),
    wall("made_wall_ms"),
    wall("deleted_wall_ms", nullable=True),
)
Index("ix_recordings_made", recordings.c.made_wall_ms)
