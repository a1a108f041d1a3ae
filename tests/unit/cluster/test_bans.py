"""Whom one node ignores, all ignore; a pardon at one is one at all, in whatever order words arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.cluster.house import Line
from voicegw.base.errors import ProviderError
from voicegw.cluster import bans
from voicegw.cluster.bans import CLOCKS_S, LONGEST_S, BanBook, SharedBans, believed
from voicegw.cluster.memory import MemoryHouse, MemoryShared
from voicegw.ports.cluster import MOST_NOTICES, Notice

HOST, OTHER = "198.51.100.4", "2001:db8::9"
NOW = 1_000_000.0


class Member:
    """A node: whom it ignores, and how it reaches the others."""

    def __init__(self, world: World, name: str) -> None:
        self.line = Line(MemoryShared(world.house))
        self.bans = SharedBans(self.line, name, lambda: world.now)  # type: ignore[arg-type]
        self.ignored: dict[str, float] = {}
        self.news = 0
        self.bans.on_news = self._heard

    def ban(self, host: str, until: float) -> None:
        self.ignored[host] = until
        self.bans.ban(host, "scanner", until)

    def lift(self, host: str) -> bool:
        self.ignored.pop(host, None)
        return self.bans.lift(host)

    def _heard(self, notice: Notice) -> None:
        self.news += 1
        if notice.lifted:
            self.ignored.pop(notice.host, None)
        else:
            self.ignored[notice.host] = notice.until


class World:
    """Nodes that share a memory, and their clock."""

    def __init__(self) -> None:
        self.now = NOW
        self.house = MemoryHouse(lambda: self.now)
        self.a, self.b = Member(self, "a"), Member(self, "b")

    async def turns(self, *members: Member) -> None:
        for member in members or (self.a, self.b, self.a):
            self.now += 0.5
            await member.bans.turn()

    def forgets(self) -> None:
        """Redis starts anew, with nothing."""
        self.house.notices.clear()
        self.house.notices_version += 1000


def played(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario(World())

    asyncio.run(whole())


def test_a_ban_at_one_is_one_at_all_and_so_is_its_end() -> None:
    async def scenario(world: World) -> None:
        world.a.ban(HOST, NOW + 600)
        await world.turns()
        assert world.b.ignored == {HOST: NOW + 600} and world.a.news == 0
        late = Member(world, "c")
        await world.turns(late)
        assert late.ignored == {HOST: NOW + 600}, "who starts learns what is in force"
        assert late.lift(HOST) and not late.lift(HOST)
        await world.turns(late, world.a, world.b)
        assert world.a.ignored == world.b.ignored == {} and not world.a.lift(HOST)
        world.b.ban(HOST, NOW + 900)
        await world.turns(world.b, world.a)
        assert world.a.ignored == {HOST: NOW + 900}, "and may be ignored again"

    played(scenario)


def test_who_is_cut_off_goes_by_itself_and_is_told_afterwards() -> None:
    async def scenario(world: World) -> None:
        world.a.ban(HOST, NOW + 600)
        await world.turns()
        world.a.line.is_cut = True
        world.a.ban(OTHER, NOW + 600)
        assert world.a.lift(HOST)
        with pytest.raises(ProviderError):
            await world.a.bans.turn()
        await world.turns(world.b)
        assert set(world.b.ignored) == {HOST} and set(world.a.ignored) == {OTHER}
        world.a.line.is_cut = False
        await world.turns(world.a, world.b)
        assert set(world.b.ignored) == set(world.a.ignored) == {OTHER}

    played(scenario)


def test_what_redis_forgets_is_written_again_and_a_pardon_meanwhile_holds() -> None:
    async def scenario(world: World) -> None:
        world.a.ban(HOST, NOW + 600)
        world.b.ban(OTHER, NOW + 600)
        await world.turns()
        world.a.line.is_cut = True
        world.a.lift(HOST)
        world.forgets()
        world.a.line.is_cut = False
        await world.turns(world.b, world.a, world.b, world.a)
        late = Member(world, "c")
        await world.turns(late)
        assert set(world.a.ignored) == set(world.b.ignored) == set(late.ignored) == {OTHER}

    played(scenario)


def test_what_is_not_new_is_not_read() -> None:
    async def scenario(world: World) -> None:
        world.a.ban(HOST, NOW + 600)
        await world.turns()
        world.house.notices[OTHER] = Notice(OTHER, "flood", NOW, NOW + 600, "c")  # behind the version's back
        await world.turns()
        assert set(world.b.ignored) == {HOST}

    played(scenario)


def test_a_word_of_a_clock_ahead_is_believed_when_its_time_has_come() -> None:
    async def scenario(world: World) -> None:
        word = Notice(HOST, "flood", NOW + 60, NOW + 600, "ahead")
        await MemoryShared(world.house).put_notices([word])
        await world.turns()
        assert not world.a.ignored and not world.b.ignored
        world.now = NOW + 59
        await world.turns()
        assert world.a.ignored == world.b.ignored == {HOST: NOW + 600}
        assert (world.a.news, world.b.news) == (1, 1)

    played(scenario)


def test_a_word_that_comes_again_and_again_ends_when_it_would_have_ended() -> None:
    book = BanBook("a")
    word = Notice(HOST, "flood", NOW, NOW + 10 * LONGEST_S, "evil")
    (news,) = book.merge([word], NOW)
    assert news.until == NOW + LONGEST_S
    for day in range(1, 30):
        assert book.merge([word, word], NOW + day * 86_400.0) == []
    assert book.merge([word], NOW + LONGEST_S) == []


@pytest.mark.parametrize(
    "notice",
    [
        Notice(HOST, "flood", NOW + CLOCKS_S + 1, NOW + 600, "of the future"),
        Notice(HOST, "flood", NOW - 600, NOW, "over"),
        Notice(HOST, "flood", -1.0, NOW + 600, "before time"),
        Notice(HOST, "flood", float("nan"), NOW + 600, "no time"),
        Notice(HOST, "flood", NOW, float("nan"), "no end"),
        Notice(HOST, "flood", NOW, float("inf"), "for ever"),
        Notice("carrier.test", "flood", NOW, NOW + 600, "a name"),
        Notice("0.0.0.0/0", "flood", NOW, NOW + 600, "a network"),
    ],
    ids=lambda notice: notice.by,
)
def test_what_is_not_believed(notice: Notice) -> None:
    assert believed(notice, NOW) is None
    assert BanBook("a").merge([notice], NOW) == []


def test_a_word_that_is_known_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new ban brings all of them, as many as a flood of forged sources makes."""
    looked_at: list[str] = []

    def look(notice: Notice, now: float) -> Notice | None:
        looked_at.append(notice.host)
        return believed(notice, now)

    monkeypatch.setattr(bans, "believed", look)
    book, known = BanBook("a"), Notice(HOST, "flood", NOW, NOW + 600, "b")
    assert book.merge([known], NOW) == [known]
    new = Notice(OTHER, "flood", NOW, NOW + 60, "b")
    assert book.merge([known, new], NOW) == [new]
    assert looked_at == [HOST, OTHER] and not book.unsaid()
    assert book.merge([known, new], NOW + 60) == [] and looked_at[2:] == [OTHER], "it is over"


def test_the_newer_word_counts_in_whatever_order_they_come() -> None:
    ban, end = Notice(HOST, "x", NOW, NOW + 600, "b"), Notice(HOST, "x", NOW + 1, NOW + 600, "c", lifted=True)
    for order in ([ban, end], [end, ban]):
        book = BanBook("a")
        for word in order:
            book.merge([word], NOW + 2)
        assert not book.lift(HOST, NOW + 2)


def test_a_word_of_ours_overrules_that_of_a_clock_ahead() -> None:
    book = BanBook("a")
    ahead = Notice(HOST, "x", NOW + CLOCKS_S, NOW + 600, "b")
    assert book.merge([ahead], NOW) == [ahead]
    assert book.lift(HOST, NOW) and book.unsaid()[0].at > ahead.at


def test_no_more_are_remembered_than_a_guard_ignores() -> None:
    hosts = [f"10.0.{number // 256}.{number % 256}" for number in range(MOST_NOTICES + 1)]
    book = BanBook("a")
    assert len(book.merge([Notice(host, "x", NOW, NOW + 600, "b") for host in hosts], NOW)) == MOST_NOTICES
    book.ban(HOST, "x", NOW + 600, NOW)
    assert book.unsaid() == []
    assert len(book.merge([], NOW)) == 0 and len(book.unsaid()) == MOST_NOTICES


def test_who_shares_no_more_goes_by_its_own_and_tells_it_when_it_shares_again() -> None:
    async def scenario(world: World) -> None:
        world.a.ban(HOST, NOW + 600)
        await world.turns()
        world.b.bans.share(False)
        assert world.a.lift(HOST)
        world.b.ban(OTHER, NOW + 600)
        await world.turns()
        assert world.a.ignored == {} and world.b.ignored == {HOST: NOW + 600, OTHER: NOW + 600}
        world.b.bans.share(True)
        await world.turns()
        assert world.a.ignored == world.b.ignored == {OTHER: NOW + 600}, "the newest word on each counts"
        world.b.bans.share(False)
        world.now += 1
        assert world.b.lift(OTHER)
        await world.turns()
        assert world.a.ignored == {OTHER: NOW + 600} and world.b.ignored == {}
        world.b.bans.share(True)
        await world.turns()
        assert world.a.ignored == {}

    played(scenario)


def test_a_full_book_that_nobody_shares_forgets_what_is_over() -> None:
    book = BanBook("a")
    for number in range(MOST_NOTICES):
        book.ban(f"2001:db8::{number:x}", "scanner", NOW + 10, NOW)
    book.ban(HOST, "scanner", NOW + 600, NOW)
    assert HOST not in {notice.host for notice in book.unsaid()}
    book.ban(HOST, "scanner", NOW + 600, NOW + 20)
    assert [notice.host for notice in book.unsaid()] == [HOST]
