"""Nodes with something slow beside them, or that fails for a while: none is taken for dead, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.cluster.house import CONFIG, Member
from tests.unit.cluster.test_node import BEAT_S, ENDED, TTL_S, dies, run
from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId
from voicegw.call import facts as f
from voicegw.cluster.memory import MemoryHouse, MemoryShared
from voicegw.cluster.messages import Asked, ConfigChanged, encode
from voicegw.ports.cluster import Line, PhoneWord
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import let_pass, settle

TRUNK = [Line("trunk/t", 1)]


def shared_of(member: Member) -> MemoryShared:
    shared = member.line._shared
    assert isinstance(shared, MemoryShared)
    return shared


def house_of(member: Member) -> MemoryHouse:
    return shared_of(member)._house


def held_up(member: Member, name: str, until: asyncio.Event) -> None:
    """From now on ``name`` takes effect in the shared state only after ``until``."""
    work = getattr(shared_of(member), name)

    async def late(*arguments: Any) -> Any:
        await until.wait()
        return await work(*arguments)

    setattr(shared_of(member), name, late)


def fails(member: Member, name: str) -> Callable[[], None]:
    """``name`` is not answered, and without effect, until what is returned is called."""
    shared = shared_of(member)

    async def unanswered(*_arguments: Any) -> Any:
        raise ProviderError("redis", "no answer", retryable=True)

    setattr(shared, name, unanswered)
    return lambda: delattr(shared, name)


def says(member: Member, phone: str, clock: ManualClock) -> None:
    now_ms = round(clock.wall() * 1000)
    member.node.phones.book.say(PhoneWord(phone, "sip:x@h", now_ms, now_ms + 600_000, "", "c1", 1), now_ms)


def knows(member: Member, phone: str, clock: ManualClock) -> bool:
    return bool(member.node.phones.book.words(phone, round(clock.wall() * 1000)))


def test_who_ends_the_calls_of_a_dead_node_is_not_taken_for_dead_however_long_the_store_takes() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1")
        b.calls("c2")
        c.calls("c3")
        await settle()
        is_back = asyncio.Event()

        for member in (b, c):
            end = member._end_lost

            async def slow(*arguments: Any, end: Any = end) -> Any:
                await is_back.wait()
                return await end(*arguments)

            member.node.heart._end_lost = slow
        await dies(a)
        await let_pass(clock, 4 * TTL_S)
        assert [[info.name for info in member.node.nodes()] for member in (b, c)] == [["b", "c"]] * 2
        is_back.set()
        await let_pass(clock, 4 * TTL_S)
        assert b.ended + c.ended == [("a", "c1")], "and nobody else's calls"
        assert b.lost_news == c.lost_news == [("a", ("c1",))]

    run(scenario)


def test_who_has_stood_still_itself_does_not_take_the_others_for_dead() -> None:
    """Nodes on one machine that was held up for some seconds: the first to go on finds the others silent."""

    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        b.calls("c1")
        c.calls("c2")
        await settle()
        goes_on = asyncio.Event()
        held_up(b, "beat", goes_on)
        clock.advance(3 * TTL_S)
        await let_pass(clock, BEAT_S)
        assert a.ended == c.ended == []
        goes_on.set()
        await let_pass(clock, 2 * TTL_S)
        assert a.ended == b.ended == c.ended == []
        assert [info.name for info in a.node.nodes()] == ["a", "b", "c"]
        await dies(b)
        await let_pass(clock, TTL_S + 2 * BEAT_S)
        assert a.ended + c.ended == [("b", "c1")]

    run(scenario)


def test_a_node_that_hears_of_many_phones_is_not_taken_for_dead_meanwhile() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1")
        all_heard = asyncio.Event()
        held_up(a, "phone_version", all_heard)
        await let_pass(clock, 4 * TTL_S)
        assert [info.name for info in b.node.nodes()] == ["a", "b", "c"] and b.ended == c.ended == []
        says(b, "anna", clock)
        all_heard.set()
        await let_pass(clock, 2 * BEAT_S)
        assert knows(a, "anna", clock)

    run(scenario)


def test_a_line_that_could_not_be_given_back_is_free_a_beat_later() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        assert await a.node.lines.take("1", TRUNK) == ""
        mend = fails(a, "free_lines")
        a.node.lines.free("1")
        await settle()
        mend()
        assert await b.node.lines.take("1", TRUNK) == "trunk/t"
        await let_pass(clock, 2 * BEAT_S)
        assert await b.node.lines.take("1", TRUNK) == ""

    run(scenario)


def test_a_line_that_was_taken_without_an_answer_is_everybodys_a_beat_later() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        mend = fails(a, "take_lines")
        assert await a.node.lines.take("1", TRUNK) == "", "it has none itself"
        mend()
        await let_pass(clock, 2 * BEAT_S)
        assert await b.node.lines.take("1", TRUNK) == "trunk/t"
        a.node.lines.free("1")
        await settle()
        assert await b.node.lines.take("1", TRUNK) == ""

    run(scenario)


def test_a_line_that_was_granted_too_late_is_not_kept() -> None:
    """A leg is refused because this node has all lines itself, and Redis would have given it one a moment later."""

    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        mend = fails(a, "take_lines")
        assert await a.node.lines.take("1", TRUNK) == ""
        assert await a.node.lines.take("2", TRUNK) == "trunk/t"
        mend()
        await shared_of(a).take_lines(a.node.owner, "2", TRUNK)  # it was on its way
        a.node.lines.free("1")
        await let_pass(clock, 2 * BEAT_S)
        assert await b.node.lines.take("1", TRUNK) == ""

    run(scenario)


def test_a_leg_that_goes_on_by_another_trunk_keeps_that_ones_line_though_the_first_is_given_back_late() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        assert await a.node.lines.take("1", TRUNK) == ""
        is_free = asyncio.Event()
        held_up(a, "free_lines", is_free)
        a.node.lines.free("1")
        taking = asyncio.create_task(a.node.lines.take("1", [Line("trunk/u", 1)]))
        await settle()
        is_free.set()
        assert await taking == ""
        await settle()
        assert await b.node.lines.take("1", [Line("trunk/u", 1)]) == "trunk/u"
        assert await b.node.lines.take("1", TRUNK) == ""

    run(scenario)


def test_a_leg_that_is_sent_on_and_refused_leaves_no_line_behind() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        assert await b.node.lines.take("1", [Line("toll/x", 1)]) == ""
        assert await a.node.lines.take("1", TRUNK) == ""
        assert await a.node.lines.take("1", [*TRUNK, Line("toll/x", 1)]) == "toll/x"
        await settle()
        assert await b.node.lines.take("2", TRUNK) == ""

    run(scenario)


def test_a_call_that_begins_while_its_node_is_written_anew_is_known_to_all() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1")
        await settle()
        a.line.is_cut = True
        await let_pass(clock, BEAT_S)
        is_written = asyncio.Event()
        held_up(a, "rewrite", is_written)
        a.line.is_cut = False
        await let_pass(clock, 2 * BEAT_S)
        a.calls("c2")
        await let_pass(clock, BEAT_S)
        is_written.set()
        await let_pass(clock, 4 * BEAT_S)
        assert set(house_of(a).calls[a.node.owner]) == {"c1", "c2"}

    run(scenario)


def test_what_redis_lost_of_phones_is_told_again_though_others_have_said_something_since() -> None:
    """It came back from a snapshot: of the same origin, and not older than what was read before."""

    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        says(a, "anna", clock)
        await let_pass(clock, 2 * BEAT_S)
        for member in (a, b, c):
            member.line.is_cut = True
        await let_pass(clock, 2 * BEAT_S)
        del house_of(a).phones["anna"]
        new = Member(house_of(a), clock, "d")
        says(new, "bert", clock)
        await new.node.start()
        await let_pass(clock, 2 * BEAT_S)
        for member in (a, b, c):
            member.line.is_cut = False
        await let_pass(clock, 4 * BEAT_S)
        assert knows(new, "anna", clock) and knows(a, "bert", clock)
        await new.node.close()

    run(scenario)


def test_what_was_published_before_a_node_began_to_listen_is_looked_at() -> None:
    """It had read its agents already, and its engines took a while to start."""

    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.node.bus.announce("documents", "one")
        a.node.bus.announce("documents", "two")
        await let_pass(clock, BEAT_S)
        new = Member(house_of(a), clock, "d")
        await new.node.start()
        await let_pass(clock, 2 * BEAT_S)
        assert new.published == ["documents"], "once, the newest"
        a.node.bus.announce("documents", "three")
        await settle()
        assert new.published == ["documents"] * 2
        await new.node.close()

    run(scenario)


def test_an_order_that_comes_twice_is_carried_out_once() -> None:
    """The client library sends again what Redis has not acknowledged in time."""

    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        for member, number in ((a, 1), (a, 1), (a, 2), (c, 1), (a, 1)):
            order = Asked(str(member.node.owner), number, "transfer", b"", clock.wall() + 10.0)
            await shared_of(member).send(b.node.owner, encode(order))
        await let_pass(clock, BEAT_S)
        assert len(b.orders) == 3

    run(scenario)


def test_what_is_no_message_is_passed_over() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        told = encode(ConfigChanged(str(a.node.owner), "documents"))
        await shared_of(a).tell([b"", b"junk", told.replace(b"documents", b"docum\xff\xfets")])
        a.node.bus.announce("trunks")
        await let_pass(clock, BEAT_S)
        assert b.published == ["trunks"]

    run(scenario)


def test_an_error_of_ours_ends_neither_heartbeats_nor_hearing(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        look, hear = b.node.heart.on_roster, b.fact

        def breaks(*_arguments: object) -> None:
            b.node.heart.on_roster = look
            b.fact = hear  # type: ignore[method-assign]
            raise KeyError("ours")

        b.node.heart.on_roster = breaks
        await let_pass(clock, 2 * TTL_S)
        b.fact = breaks  # type: ignore[method-assign]
        a.calls("c1")
        await let_pass(clock, 2 * TTL_S)
        a.calls("c2")
        await settle()
        assert [info.name for info in a.node.nodes()] == ["a", "b", "c"] and a.ended == c.ended == []
        assert b.heard == [("a", "c2", "CallWasOffered")]

    run(scenario)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["a task broke"] * 2


def test_who_leaves_tells_how_its_last_calls_ended() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1")
        await settle()
        is_told = asyncio.Event()
        held_up(a, "tell", is_told)
        a.calls("c2", ENDED)
        await settle()
        is_told.set()
        a.node.bus.publish(CallId("c1"), f.Entry(1, 0.0, ENDED))
        await a.node.close()
        await settle()
        assert [(call_id, fact) for _, call_id, fact in b.heard[-2:]] == [
            ("c2", "CallHasEnded"),
            ("c1", "CallHasEnded"),
        ]

    run(scenario)


def test_a_lease_that_is_not_wanted_any_more_is_given_back_though_another_is_on_its_way() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        names = ["register/t", "register/u"]
        a.node.leases.want(names)
        await let_pass(clock, 2 * BEAT_S)
        b.node.leases.want(names)
        is_given = asyncio.Event()
        held_up(a, "give_lease", is_given)
        a.node.leases.want(names[1:])
        await let_pass(clock, 2 * BEAT_S)
        a.node.leases.want([])
        is_given.set()
        await let_pass(clock, CONFIG.beat_ms / 1000 * 3)
        assert sorted(name for name, _ in b.leases) == names, "long before they run out"

    run(scenario)
