"""What calls out have cost, by node, toll rule and day or month."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.tables.tolls import toll_spending

_KEPT_MS: Final = 70 * 86_400_000
"""Longer than any month, for who wants to look at the last one."""
_PIECE: Final = 200
"""Rows of one statement: databases limit its parameters."""


class Spent(NamedTuple):
    """``whose``: of what a rule counts apart; ``micros``: millionths of the currency."""

    node: str
    rule: str
    whose: str
    period: str
    micros: int


class SpendingRepository:
    """One transaction's view."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of(self, periods: Collection[str]) -> list[Spent]:
        """All nodes' amounts in these days and months."""
        columns = toll_spending.c
        query = select(columns.node, columns.rule, columns.whose, columns.period, columns.micros)
        rows = await self._connection.execute(query.where(columns.period.in_(list(periods))))
        return [Spent(*row) for row in rows]

    async def put(self, amounts: Sequence[Spent], now_wall_ms: int) -> None:
        """Replace these amounts, and forget what is long over."""
        columns = toll_spending.c
        place = tuple_(columns.node, columns.rule, columns.whose, columns.period)
        for start in range(0, len(amounts), _PIECE):
            piece = amounts[start : start + _PIECE]
            await self._connection.execute(delete(toll_spending).where(place.in_([one[:4] for one in piece])))
            rows = [{**one._asdict(), "changed_wall_ms": now_wall_ms} for one in piece]
            await self._connection.execute(insert(toll_spending), rows)
        await self._connection.execute(
            delete(toll_spending).where(columns.changed_wall_ms < now_wall_ms - _KEPT_MS)
        )
