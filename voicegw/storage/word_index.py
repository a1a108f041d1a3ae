"""Finding calls by words: an index of each database's own making (FTS5, tsvector with GIN), one row a call.

Its rows carry the integer of their call. Words are compared without case and accents; a query is a list of words
that must all occur, and nothing in it is an operator.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.schema_check import WORD_INDEX
from voicegw.storage.tables.calls import calls

_WORD = re.compile(r"[^\W_]+")
_MAX_WORDS = 16
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
    """The condition that all these words occur in a call; None when there is no word in it."""
    found = _words(words)[:_MAX_WORDS]
    if not found:
        return None
    if dialect == "sqlite":
        match = text(f"SELECT rowid FROM {WORD_INDEX} WHERE {WORD_INDEX} MATCH :words")
        value = " ".join(f'"{word}"' for word in found)
    else:
        match = text(f"SELECT number FROM {WORD_INDEX} WHERE words @@ plainto_tsquery('simple', :words)")
        value = " ".join(found)
    return calls.c.number.in_(match.bindparams(bindparam("words", value)).columns(calls.c.number).scalar_subquery())


def _words(text: str) -> list[str]:
    """The same for both databases, whatever they would make of cases and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)))
