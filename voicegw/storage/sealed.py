"""What rows of administration keep sealed, looked at together. The store itself can open nothing of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.tables.documents import trunks
from voicegw.storage.tables.hooks import webhook_subscriptions
from voicegw.storage.tables.people import users
from voicegw.storage.tables.phones import phones


class SealedKind(StrEnum):
    """Whose secret it is."""

    TRUNK = "trunk"
    PHONE = "phone"
    USER = "user"
    WEBHOOK = "webhook"


class Sealed(NamedTuple):
    """A row with a secret."""

    kind: SealedKind
    id: str
    name: str
    sealed: bytes


_PLACES: Final[dict[SealedKind, tuple[Table, str]]] = {
    SealedKind.TRUNK: (trunks, "secret_sealed"),
    SealedKind.PHONE: (phones, "secret_sealed"),
    SealedKind.USER: (users, "totp_sealed"),
    SealedKind.WEBHOOK: (webhook_subscriptions, "secret_sealed"),
}


async def list_sealed(connection: AsyncConnection) -> list[Sealed]:
    """All of them, by kind and name."""
    found: list[Sealed] = []
    for kind, (table, column) in _PLACES.items():
        query = select(table.c.id, table.c.name, table.c[column]).where(table.c[column].is_not(None))
        rows = await connection.execute(query.order_by(table.c.name))
        found += [Sealed(kind, *row) for row in rows]
    return found


async def put_sealed(connection: AsyncConnection, one: Sealed) -> None:
    """The same secret, sealed anew: the row's version stays, because nothing has changed in it."""
    table, column = _PLACES[one.kind]
    await connection.execute(update(table).where(table.c.id == one.id).values({column: one.sealed}))
