"""Finding calls by words: an index of each database's own making (FTS5, tsvector with GIN), one row a call.

Its rows carry the integer of their call. Words are compared without case and accents; a query is a list of words
that must all occur, and nothing in it is an operator.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, bindparam, column, func, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.tables.calls import calls

WORD_INDEX = "call_words"
"""Made by each database's own means (FTS5, tsvector), so that no comparison of tables understands it."""
_WORD = re.compile(r"[^\W_]+")
_MAX_WORDS = 16
NEWEST = 6000
"""Looked at one by one in 30 ms; a word that fills no page there is in fewer than one call of a hundred."""
_NUMBER = "word_number"
_ROWS = table(WORD_INDEX, column("number", BigInteger), column("words", Text))
_PUT = {
    "sqlite": text(f"INSERT INTO {WORD_INDEX} (rowid, words) SELECT number, :words FROM calls WHERE id = :call_id"),
    "postgresql": text(
        f"INSERT INTO {WORD_INDEX} (number, words)"
        " SELECT number, to_tsvector('simple', :words) FROM calls WHERE id = :call_id"
    ),
}
_DELETE = {
    "sqlite": text(f"DELETE FROM {WORD_INDEX} WHERE rowid = (SELECT number FROM calls WHERE id = :call_id)"),
    "postgresql": text(f"DELETE FROM {WORD_INDEX} WHERE number = (SELECT number FROM calls WHERE id = :call_id)"),
}


async def put(connection: AsyncConnection, texts: Mapping[str, str]) -> None:
    """Replace the words of these calls."""
    await forget(connection, texts)
    rows = [{"call_id": call_id, "words": " ".join(_words(words))} for call_id, words in texts.items()]
    await connection.execute(_PUT[connection.dialect.name], rows)


async def forget(connection: AsyncConnection, call_ids: Iterable[str]) -> None:
    """Remove the words of these calls."""
    rows = [{"call_id": call_id} for call_id in call_ids]
    await connection.execute(_DELETE[connection.dialect.name], rows)


def query(words: str, dialect: str) -> ColumnElement[bool] | None:
    """The condition that all these words occur in a call; None when there is no word in it.

    It looks into the index first. For words of very many calls :func:`newest` is faster in PostgreSQL.
    """
    found = _words(words)[:_MAX_WORDS]
    if not found:
        return None
    if dialect == "sqlite":
        match = text(f"SELECT rowid FROM {WORD_INDEX} WHERE {WORD_INDEX} MATCH :words")
        value = " ".join(f'"{word}"' for word in found)
        bound = match.bindparams(bindparam("words", value))
        return calls.c.number.in_(bound.columns(calls.c.number).scalar_subquery())
    rows = (
        select(_ROWS.c.number).where(_has(found)).cte("matches").prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return calls.c.number.in_(select(rows.c.number))


def newest(words: str, wanted: Select[Any]) -> Select[Any] | None:
    """Those of the first ``NEWEST`` rows of ``wanted``, in its order, that have all these words (PostgreSQL).

    The planner knows how often a common word occurs and guesses for all others. Guessing too much, it walks through
    a million calls for a word of ten; guessing too little, it sorts half a million for a page. So a page is looked
    for among the newest calls first, and what is not found there is rare enough for the index.
    """
    found = _words(words)[:_MAX_WORDS]
    if not found:
        return None
    some = wanted.add_columns(calls.c.number.label(_NUMBER)).limit(NEWEST).subquery("newest_calls")
    columns = [column for column in some.c if column.name != _NUMBER]
    # A subquery for each row: for a join the planner may well take the index after all.
    has = select(_has(found)).where(_ROWS.c.number == some.c[_NUMBER]).scalar_subquery()
    return select(*columns).where(has).order_by(some.c.started_wall_ms.desc(), some.c.id.desc())


def _has(words: list[str]) -> ColumnElement[bool]:
    return _ROWS.c.words.op("@@")(func.plainto_tsquery("simple", " ".join(words)))


def _words(text: str) -> list[str]:
    """The same for both databases, whatever they would make of cases and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)))
