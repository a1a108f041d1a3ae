"""Many calls at once, for the benches: rows as the writer leaves them, made inside the database."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FIRST_WALL_MS: Final = 1_700_000_000_000
EVERY_MS: Final = 20_000
CALLERS: Final = 40_000
AGENTS: Final = 20
CALLED: Final = 50
RARE_WORDS: Final = 20_000
TOPICS: Final = 100

_NUMBERS: Final = {
    "sqlite": "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :calls) ",
    "postgresql": "WITH n (n) AS (SELECT generate_series(1, :calls)) ",
}
_CALLS: Final = f"""
INSERT INTO calls (id, node, state, sip_call_id, called, calling, display_name, started_wall_ms, answered_wall_ms,
    ended_wall_ms, duration_ms, route, agent, cause, side, failure, q850, caller_turns, barge_ins, response_p50_ms,
    has_recording, events, head_seq, head_hash)
SELECT 'call' || n, 'bench', 'ended', 'sip' || n, '+4930' || (1000 + n % {CALLED}),
    '+49151' || (1000000 + (n * 7919) % {CALLERS}), '', {FIRST_WALL_MS} + n * {EVERY_MS},
    {FIRST_WALL_MS} + n * {EVERY_MS} + 900, {FIRST_WALL_MS} + n * {EVERY_MS} + 90900, 90000, 'main',
    'agent' || n % {AGENTS}, CASE WHEN n % 50 = 0 THEN 'no_media' ELSE 'caller_hangup' END, 'caller',
    n % 50 = 0, 16, 9, 1, 640.0, true, 60, 59, :hash
FROM (SELECT CAST(n AS bigint) AS n FROM n) numbers
"""
_WORDS: Final = (
    f"'hello i would like an appointment please rare' || (number * 31) % {RARE_WORDS}"
    f" || ' topic' || number % {TOPICS}"
)
_LEXEMES: Final = (
    r"'hello\:1 i\:2 would\:3 like\:4 an\:5 appointment\:6 please\:7 rare' || (number * 31) % "
    rf"{RARE_WORDS} || '\:8 topic' || number % {TOPICS} || '\:9'"
)
"""The same as ``to_tsvector`` would make of the words, which would take most of the time."""
_INDEXES: Final = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('calls', 'call_words') AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""
_FILL_WORDS: Final = {
    "sqlite": f"INSERT INTO call_words (rowid, words) SELECT number, {_WORDS} FROM calls WHERE node = 'bench'",
    "postgresql": "INSERT INTO call_words (number, words)"
    f" SELECT number, ({_LEXEMES})::tsvector FROM calls WHERE node = 'bench'",
}


async def fill(connection: AsyncConnection, calls: int) -> None:
    """So many calls, one every 20 seconds, with words to find them by."""
    dialect = connection.dialect.name
    insert = _CALLS.replace("\nSELECT", f"\n{_NUMBERS[dialect]}SELECT", 1)
    indexes = await _drop_indexes(connection) if dialect == "postgresql" else ()
    await connection.execute(text(insert), {"calls": calls, "hash": b""})
    await connection.execute(text(_FILL_WORDS[dialect]))
    for definition in indexes:
        await connection.execute(text(definition))
    await connection.execute(text("ANALYZE"))


async def _drop_indexes(connection: AsyncConnection) -> tuple[str, ...]:
    """Indexes are made at once when the rows are there: a million single entries take much longer."""
    found = (await connection.execute(text(_INDEXES))).all()
    for name, _definition in found:
        await connection.execute(text(f"DROP INDEX {name}"))
    return tuple(definition for _name, definition in found)
