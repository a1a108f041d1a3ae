"""What an administrator keeps: with an id, a unique name, and a version that guards against lost edits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Table, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.errors import Conflict, NotFound


class Keyed(Protocol):
    """What the records of such a table have in common; frozen dataclasses with the names of its columns."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...


R = TypeVar("R", bound=Keyed)


class KeyedRepository(Generic[R]):
    """The rows of one table as records, in one transaction."""

    table: Table
    record: type[R]

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: R) -> R:
        """Insert; raises Conflict where the id or name is taken."""
        await self._connection.execute(insert(self.table).values(**asdict(record)))  # type: ignore[call-overload]
        return record

    async def put(self, record: R) -> R:
        """Replace the row of the same id if its version is still the record's; returns it with the next version.

        Raises NotFound, or Conflict where somebody else changed it or the name is taken.
        """
        values: dict[str, Any] = {**asdict(record), "version": record.version + 1}  # type: ignore[call-overload]
        columns = self.table.c
        same = and_(columns.id == record.id, columns.version == record.version)
        done = await self._connection.execute(update(self.table).where(same).values(**values))
        if done.rowcount == 0:
            current = await self.get(record.id)
            raise Conflict(f"{record.name} is at version {current.version}, not {record.version}")
        return self.record(**values)

    async def find(self, id: str) -> R | None:
        """The record of this id, if there is one."""
        return await self._one(self.table.c.id, id)

    async def get(self, id: str) -> R:
        """The record of this id; raises NotFound."""
        found = await self.find(id)
        if found is None:
            raise NotFound(f"there is no {self.table.name} {id}")
        return found

    async def by_name(self, name: str) -> R | None:
        """The record of this name, if there is one."""
        return await self._one(self.table.c.name, name)

    async def page(self, after: tuple[str, str] | None = None, limit: int = 100) -> list[R]:
        """A page in the order of (name, id), beginning behind ``after``."""
        columns = self.table.c
        query = select(self.table).order_by(columns.name, columns.id).limit(limit)
        if after is not None:
            name, id = after
            query = query.where(or_(columns.name > name, and_(columns.name == name, columns.id > id)))
        rows = await self._connection.execute(query)
        return [self.record(**row) for row in rows.mappings()]

    async def delete(self, id: str) -> None:
        """Remove it with what hangs on it; raises NotFound."""
        done = await self._connection.execute(delete(self.table).where(self.table.c.id == id))
        if done.rowcount == 0:
            raise NotFound(f"there is no {self.table.name} {id}")

    async def _one(self, column: Any, value: object) -> R | None:
        row = (await self._connection.execute(select(self.table).where(column == value))).mappings().first()
        return None if row is None else self.record(**row)
