"""The store as others see it: transactions, and in each of them a repository for each subject.

::

    async with store.write() as unit:
        user = await unit.users.put(changed)
        await unit.audit.append(AuditNote(now_wall_ms, actor="ann", action="user.change", object_id=user.id))

Everything in one block is one transaction: committed at its end, undone by any error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.admin import SecretRepository, TrunkRepository
from voicegw.storage.audit import AuditRepository
from voicegw.storage.calls import CallRepository
from voicegw.storage.config import StoreConfig
from voicegw.storage.database import Database
from voicegw.storage.documents import DocumentRepository
from voicegw.storage.phones import BindingRepository, PhoneRepository
from voicegw.storage.spending import SpendingRepository
from voicegw.storage.users import ApiKeyRepository, SessionRepository, UserRepository
from voicegw.storage.webhooks import DeliveryRepository, SubscriptionRepository


@dataclass(frozen=True, slots=True)
class Unit:
    """One transaction."""

    connection: AsyncConnection
    calls: CallRepository
    documents: DocumentRepository
    trunks: TrunkRepository
    phones: PhoneRepository
    bindings: BindingRepository
    spending: SpendingRepository
    secrets: SecretRepository
    users: UserRepository
    api_keys: ApiKeyRepository
    sessions: SessionRepository
    audit: AuditRepository
    subscriptions: SubscriptionRepository
    deliveries: DeliveryRepository


class Store:
    """One database. Belongs to the event loop in which it is used."""

    def __init__(self, config: StoreConfig) -> None:
        """Opens nothing yet; raises ConfigError."""
        self.database = Database(config)

    async def start(self) -> None:
        """Bring the tables up to date; raises StoreUnavailable."""
        await self.database.migrate()

    async def open_all(self) -> None:
        """Open all connections that are kept, after :meth:`start`; raises StoreUnavailable."""
        await self.database.open_all()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Unit]:
        """For looking only; raises StoreUnavailable."""
        async with self.database.read() as connection:
            yield _unit(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Unit]:
        """For changes; raises Conflict and StoreUnavailable."""
        async with self.database.write() as connection:
            yield _unit(connection)

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()


def _unit(connection: AsyncConnection) -> Unit:
    return Unit(
        connection=connection,
        calls=CallRepository(connection),
        documents=DocumentRepository(connection),
        trunks=TrunkRepository(connection),
        phones=PhoneRepository(connection),
        bindings=BindingRepository(connection),
        spending=SpendingRepository(connection),
        secrets=SecretRepository(connection),
        users=UserRepository(connection),
        api_keys=ApiKeyRepository(connection),
        sessions=SessionRepository(connection),
        audit=AuditRepository(connection),
        subscriptions=SubscriptionRepository(connection),
        deliveries=DeliveryRepository(connection),
    )
