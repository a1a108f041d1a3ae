"""Phone accounts, and the bindings that survive a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.keyed import KeyedRepository
from voicegw.storage.tables.phones import phone_bindings, phones


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone account. ``secret_sealed``: its HA1 hashes, sealed by whoever holds the key; never its password."""

    id: str
    name: str
    created_wall_ms: int
    changed_wall_ms: int
    version: int = 1
    display_name: str = ""
    owner: str = ""
    enabled: bool = True
    secret_sealed: bytes | None = None


class PhoneRepository(KeyedRepository[Phone]):
    """Phone accounts."""

    table = phones
    record = Phone


class BindingRepository:
    """Where phones are registered, as JSON by the name of the phone."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> dict[str, str]:
        """Everything that is stored, by phone."""
        rows = await self._connection.execute(select(phone_bindings.c.phone, phone_bindings.c.bindings_json))
        return {row.phone: row.bindings_json for row in rows}

    async def put(self, changed: Mapping[str, str | None], now_wall_ms: int) -> None:
        """Replace what is stored of these phones; None: nothing is.

        Other nodes may do the same at this moment, with a phone that has a device at each: neither is refused, and
        in one order neither waits for the other for ever.
        """
        columns = phone_bindings.c
        if gone := [name for name, text in changed.items() if text is None]:
            await self._connection.execute(delete(phone_bindings).where(columns.phone.in_(gone)))
        rows = [
            {"phone": name, "bindings_json": text, "changed_wall_ms": now_wall_ms}
            for name, text in sorted(changed.items())
            if text is not None
        ]
        if not rows:
            return
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        put = dialect.insert(phone_bindings)
        values = {name: put.excluded[name] for name in ("bindings_json", "changed_wall_ms")}
        await self._connection.execute(put.on_conflict_do_update(index_elements=[columns.phone], set_=values), rows)
