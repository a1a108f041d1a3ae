"""The index of words, by which calls are found."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


_WORDS = """
    SELECT number, called || ' ' || calling || ' ' || display_name || ' ' || coalesce(
        (SELECT {gather} FROM transcripts WHERE call_id = calls.id), '') AS words
    FROM calls WHERE state <> 'open'
"""


def upgrade() -> None:
    """Make it, of the means of the database at hand, with what is already there."""
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgresql()


def _sqlite() -> None:
    op.execute("CREATE VIRTUAL TABLE call_words USING fts5 (words, detail = none)")
    op.execute("INSERT INTO call_words (rowid, words)" + _WORDS.format(gather="group_concat(text, ' ')"))


def _postgresql() -> None:
    op.execute(
        "CREATE TABLE call_words ("
        "number bigint PRIMARY KEY REFERENCES calls (number) ON DELETE CASCADE, words tsvector NOT NULL)"
    )
    op.execute("CREATE INDEX ix_call_words_words ON call_words USING gin (words)")
    words = _WORDS.format(gather="string_agg(text, ' ')")
    op.execute(
        f"INSERT INTO call_words (number, words) SELECT number, to_tsvector('simple', words) FROM ({words}) w"
    )
