"""What calls out have cost, between node and store: a restart forgives nothing, and nodes know of one another.

Each node writes its own amounts and reads those of all. While the store is away every node goes by what it knew and
what it spends itself; that is written when the store is back.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Final

from voicegw.base.clock import Clock
from voicegw.base.tasks import kept_task
from voicegw.gateway.toll_desk import TollDesk
from voicegw.gateway.tolls.ledger import Account
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import Refused, StoreUnavailable
from voicegw.storage.spending import Spent
from voicegw.storage.store import Store

log = logging.getLogger(__name__)

EVERY_S: Final = 5.0
_FIRST_S: Final = 5.0
"""Calls wait for so long at the start until it is known what was spent."""


class NodeTolls:
    """``node``: what this one is called; without budgets the store is not opened. Belongs to the runtime's loop."""

    def __init__(self, desk: TollDesk, store: StoreConfig, node: str, clock: Clock) -> None:
        self._desk = desk
        self._config = store
        self._node = node
        self._clock = clock
        self._store: Store | None = None
        self._is_restored = self._is_away = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn what was spent, if the store is there, and go on in the background."""
        try:
            async with asyncio.timeout(_FIRST_S):
                await self.sync()
        except TimeoutError:
            log.warning("toll budgets begin with what this node will have spent: the store does not answer")
        self._task = kept_task(self._run, "tolls")

    async def close(self) -> None:
        """Write what was spent last."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        await self.sync()
        if self._store is not None:
            await self._store.close()

    async def sync(self) -> None:
        """Write and read once."""
        if not self._desk.book.config.has_budgets:
            return
        try:
            await self._exchange()
            self._is_away = False
        except (StoreUnavailable, Refused) as error:
            if not self._is_away:
                log.warning("toll budgets are this node's alone for now: %s", error)
            self._is_away = True

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self.sync()

    async def _exchange(self) -> None:
        if self._store is None:
            async with AsyncExitStack() as undone:
                store = Store(self._config)
                undone.push_async_callback(store.close)
                await store.start()
                undone.pop_all()
            self._store = store
        ledger = self._desk.book.ledger
        async with self._store.read() as unit:
            known = await unit.spending.of(self._desk.periods())
        if not self._is_restored:
            ledger.restore({_account(one): one.micros for one in known if one.node == self._node})
            self._is_restored = True
        others: dict[Account, int] = {}
        for one in known:
            if one.node != self._node:
                others[_account(one)] = others.get(_account(one), 0) + one.micros
        ledger.hear(others)
        await self._write(self._store)

    async def _write(self, store: Store) -> None:
        ledger = self._desk.book.ledger
        changes = ledger.take_changes()
        if not changes:
            return
        amounts = [Spent(self._node, *account, micros) for account, micros in changes.items()]
        try:
            async with store.write() as unit:
                await unit.spending.put(amounts, round(self._clock.wall() * 1000))
        except (StoreUnavailable, Refused, asyncio.CancelledError):
            ledger.keep(changes)
            raise


def _account(spent: Spent) -> Account:
    return Account(spent.rule, spent.whose, spent.period)
