"""Phone accounts, and the bindings that survive a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
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
        """Replace what is stored of these phones; None: nothing is."""
        await self._connection.execute(delete(phone_bindings).where(phone_bindings.c.phone.in_(list(changed))))
        rows = [
            {"phone": name, "bindings_json": text, "changed_wall_ms": now_wall_ms}
            for name, text in changed.items()
            if text is not None
        ]
        if rows:
            await self._connection.execute(insert(phone_bindings), rows)
