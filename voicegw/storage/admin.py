"""Trunks and sealed secrets."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.keyed import KeyedRepository
from voicegw.storage.tables.documents import secrets, trunks


@dataclass(frozen=True, slots=True)
class Trunk:
    """A SIP trunk: its settings as JSON, its password sealed by whoever holds the key."""

    id: str
    name: str
    settings_json: str
    created_wall_ms: int
    changed_wall_ms: int
    version: int = 1
    enabled: bool = True
    secret_sealed: bytes | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that only its sealer can open."""

    name: str
    sealed: bytes
    changed_wall_ms: int
    changed_by: str


class TrunkRepository(KeyedRepository[Trunk]):
    """Trunks."""

    table = trunks
    record = Trunk


class SecretRepository:
    """Sealed secrets by name."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, secret: Secret) -> None:
        """Insert; raises Conflict where there is one of this name."""
        await self._connection.execute(insert(secrets).values(**asdict(secret)))

    async def put(self, secret: Secret) -> None:
        """Insert or replace."""
        await self.delete(secret.name)
        await self.add(secret)

    async def find(self, name: str) -> Secret | None:
        """The secret of this name, if there is one."""
        row = (await self._connection.execute(select(secrets).where(secrets.c.name == name))).mappings().first()
        return None if row is None else Secret(**row)

    async def names(self) -> list[str]:
        """All names, sorted."""
        return list(await self._connection.scalars(select(secrets.c.name).order_by(secrets.c.name)))

    async def delete(self, name: str) -> bool:
        """Remove it; False where there was none."""
        return (await self._connection.execute(delete(secrets).where(secrets.c.name == name))).rowcount == 1
