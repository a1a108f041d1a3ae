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
_FILL_WORDS: Final = {
    "sqlite": f"INSERT INTO call_words (rowid, words) SELECT number, {_WORDS} FROM calls WHERE node = 'bench'",
    "postgresql": "INSERT INTO call_words (number, words)"
    f" SELECT number, to_tsvector('simple', {_WORDS}) FROM calls WHERE node = 'bench'",
}


async def fill(connection: AsyncConnection, calls: int) -> None:
    """So many calls, one every 20 seconds, with words to find them by."""
    dialect = connection.dialect.name
    insert = _CALLS.replace("\nSELECT", f"\n{_NUMBERS[dialect]}SELECT", 1)
    await connection.execute(text(insert), {"calls": calls, "hash": b""})
    await connection.execute(text(_FILL_WORDS[dialect]))
    await connection.execute(text("ANALYZE"))
