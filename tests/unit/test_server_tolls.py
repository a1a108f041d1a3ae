"""What calls out have cost survives a restart, and is known to the other nodes, in a real database."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.toll_desk import TollDesk
from voicegw.gateway.tolls.calls import Payer, TollCall
from voicegw.gateway.tolls.config import TollConfig, TollRule
from voicegw.server_tolls import NodeTolls
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import Refused
from voicegw.storage.spending import SpendingRepository, Spent
from voicegw.testing.manual_clock import ManualClock

RULES = TollConfig(
    prices={"+49*": 1.0},
    rules=(TollRule("purse", each="agent", spend_per_day=2.0), TollRule("month", spend_per_month=100.0)),
)
CALL = TollCall("main", "+4930123456", Payer("demo"))


class House:
    """A node with its own clock and the store of all."""

    def __init__(self, path: Path, name: str, config: TollConfig = RULES, busy_timeout_ms: int = 5000) -> None:
        self.clock = ManualClock()
        self.desk = TollDesk(config, self.clock, Counters())
        store = StoreConfig(url=f"sqlite:///{path / 'store.sqlite'}", busy_timeout_ms=busy_timeout_ms)
        self.tolls = NodeTolls(self.desk, store, name, self.clock)

    def talk(self, seconds: float) -> None:
        """A call by itself."""
        leg = LegId("leg")
        self.desk.begin(leg, CALL.trunk, CALL.number, CALL.payer)
        self.desk.answered(leg)
        self.clock.advance(seconds)
        self.desk.ended(leg)

    def spent(self) -> dict[str, float]:
        """By rule and period, in the currency."""
        moment = self.desk.book.spending(self.desk._moment().at)
        return {name: amount for name, (amount, _) in moment.items()}

    async def close(self) -> None:
        self.desk.close()
        await self.tolls.close()


def test_a_restart_forgives_nothing_and_nodes_have_one_purse(tmp_path: Path) -> None:
    async def story() -> None:
        first, other = House(tmp_path, "one"), House(tmp_path, "two")
        await first.tolls.start()
        first.talk(50)
        await first.close()

        again = House(tmp_path, "one")
        await again.tolls.start()
        assert again.spent() == {"purse/day": 1.0, "month/month": 1.0}
        again.talk(50)
        await again.tolls.sync()

        await other.tolls.start()
        assert other.spent() == {"purse/day": 2.0, "month/month": 2.0}
        barred = other.desk.book.judge(CALL, other.desk._moment())
        assert barred is not None
        assert barred.limit == "spend_per_day"
        await again.close()
        await other.close()

    asyncio.run(story())


def test_without_budgets_no_store_is_opened(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, "one", TollConfig())
        await house.tolls.start()
        house.talk(50)
        await house.close()

    asyncio.run(story())
    assert not list(tmp_path.iterdir())


def test_a_store_that_is_away_keeps_nobody_from_counting(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "store.sqlite").mkdir()
        house = House(tmp_path, "one")
        await house.tolls.start()
        house.talk(50)
        await house.tolls.sync()
        assert house.spent() == {"purse/day": 1.0, "month/month": 1.0}
        await house.close()

    asyncio.run(story())


def test_what_a_database_refuses_once_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put, refusals = SpendingRepository.put, [Refused("the database refused it: no such character")]

    async def refusing(self: SpendingRepository, amounts: Sequence[Spent], now_wall_ms: int) -> None:
        if refusals:
            raise refusals.pop()
        await put(self, amounts, now_wall_ms)

    async def story() -> None:
        monkeypatch.setattr(SpendingRepository, "put", refusing)
        house, other = House(tmp_path, "one"), House(tmp_path, "two")
        await house.tolls.start()
        house.talk(50)
        await house.tolls.sync()
        await house.tolls.sync()
        await other.tolls.start()
        assert (refusals, other.spent()["purse/day"]) == ([], 1.0)
        await house.close()
        await other.close()

    asyncio.run(story())


def test_a_store_that_lets_nobody_write_costs_no_descriptors(tmp_path: Path) -> None:
    """It is asked every five seconds, for as long as that takes."""
    database = tmp_path / "store.sqlite"

    def descriptors() -> int:
        return sum(one.resolve().name.startswith(database.name) for one in Path("/proc/self/fd").iterdir())

    async def story() -> None:
        first = House(tmp_path, "one")
        await first.tolls.start()
        await first.close()
        house = House(tmp_path, "one", busy_timeout_ms=100)
        before = descriptors()
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                await house.tolls.sync()
        assert descriptors() == before  # (SQLite closes no file on which another one of the process has a lock)
        await house.tolls.sync()
        assert house.tolls._store is not None
        await house.tolls._store.close()  # (it was never started)

    asyncio.run(story())
    gc.collect()  # a connection that nobody closed says so
