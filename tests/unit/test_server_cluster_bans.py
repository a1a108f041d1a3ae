"""The guards of two nodes: what one decides the other does, but for those that it trusts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from voicegw.base.metrics import Counters
from voicegw.cluster.bans import SharedBans
from voicegw.cluster.counters import ClusterCounter
from voicegw.cluster.memory import MemoryHouse, MemoryShared
from voicegw.gateway.guard import Ban, BanReason, Guard
from voicegw.gateway.guard_config import GuardConfig
from voicegw.ports.cluster import Notice
from voicegw.server_cluster_bans import GuardTogether
from voicegw.sip.address import Address
from voicegw.testing.manual_clock import ManualClock

SCAN = b"OPTIONS sip:x@y SIP/2.0\r\nUser-Agent: friendly-scanner\r\n\r\n"
FOE, FRIEND = Address("198.51.100.4", 5060), Address("198.51.100.5", 5060)


class Side:
    """A node: its guard and what it shares."""

    def __init__(self, house: MemoryHouse, clock: ManualClock, name: str, trusted: tuple[str, ...] = ()) -> None:
        self.counters = Counters()
        self._clock = clock
        self.guard = Guard(GuardConfig(trusted=trusted, ban_s=600.0), self.counters)
        self.bans = SharedBans(MemoryShared(house), name, clock.wall)
        GuardTogether(self.guard, self.bans, clock, self.counters)

    def ignores(self, source: Address) -> bool:
        return not self.guard.admits(b"OPTIONS sip:x@y SIP/2.0\r\n\r\n", source, self._clock.monotonic())


def played(scenario: Callable[[ManualClock, Side, Side], Awaitable[None]]) -> None:
    async def whole() -> None:
        clock = ManualClock()
        house = MemoryHouse(clock.monotonic)
        await scenario(clock, Side(house, clock, "a"), Side(house, clock, "b", trusted=("198.51.100.5",)))

    asyncio.run(whole())


def test_a_scanner_at_one_is_ignored_by_the_other_for_as_long_and_lifted_at_both() -> None:
    async def scenario(clock: ManualClock, a: Side, b: Side) -> None:
        for source in (FOE, FRIEND):
            assert not a.guard.admits(SCAN, source, clock.monotonic())
        await a.bans.turn()
        clock.advance(100.0)
        await b.bans.turn()
        assert b.ignores(FOE) and not b.ignores(FRIEND), "one that it trusts is none of theirs to ban"
        (ban,) = b.guard.snapshot(clock.monotonic()).bans
        assert ban.reason is BanReason.SCANNER
        assert abs(ban.until - clock.monotonic() - 500.0) < 0.01, "as long as the first one, not longer"
        assert b.counters.get(ClusterCounter.BANS_TAKEN) == 1
        assert b.guard.pardon(FRIEND.host), "who never banned it may lift it all the same"
        assert b.guard.pardon(FOE.host)
        await b.bans.turn()
        await a.bans.turn()
        assert not any(side.ignores(source) for side in (a, b) for source in (FOE, FRIEND))

    played(scenario)


@pytest.mark.parametrize("reason", list(BanReason))
def test_every_reason_is_understood_by_the_others(reason: BanReason) -> None:
    async def scenario(clock: ManualClock, a: Side, b: Side) -> None:
        now = clock.monotonic()
        a.guard.on_own(Ban(FOE.host, reason, now + 60.0))
        await a.bans.turn()
        await b.bans.turn()
        assert [(ban.host, ban.reason) for ban in b.guard.snapshot(now).bans] == [(FOE.host, reason)]

    played(scenario)


def test_a_reason_of_a_later_version_is_a_reason() -> None:
    async def scenario(clock: ManualClock, a: Side, _b: Side) -> None:
        news = Notice(FOE.host, "astrology", clock.wall(), clock.wall() + 60.0, "z")
        a.bans.on_news(news)
        (ban,) = a.guard.snapshot(clock.monotonic()).bans
        assert ban.reason is BanReason.ELSEWHERE

    played(scenario)
