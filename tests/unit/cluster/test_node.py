"""Three nodes on a manual clock: what they know of one another, and what becomes of one that dies or is cut off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.unit.cluster.house import CONFIG, Member
from voicegw.call import facts as f
from voicegw.cluster.counters import ClusterCounter
from voicegw.cluster.memory import MemoryHouse
from voicegw.cluster.messages import Outcome
from voicegw.cluster.node import Place
from voicegw.ports.cluster import Hold, Line, PhoneWord
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import let_pass, run_by, settle

TTL_S, BEAT_S, LEASE_S = CONFIG.node_ttl_ms / 1000, CONFIG.beat_ms / 1000, CONFIG.lease_ttl_ms / 1000
ENDED = f.CallHasEnded("caller_hangup", "caller", False, 16, "", 10.0)
Scenario = Callable[[ManualClock, Member, Member, Member], Awaitable[None]]


def run(scenario: Scenario, *, settled: bool = True) -> None:
    clock = ManualClock()

    async def whole() -> None:
        house = MemoryHouse(clock.monotonic)
        members = [Member(house, clock, name) for name in ("a", "b", "c")]
        for member in members:
            await member.node.start()
        if settled:
            await let_pass(clock, 2 * TTL_S)
        await scenario(clock, *members)
        for member in members:
            await member.node.close()

    run_by(clock, whole())


async def dies(member: Member) -> None:
    """As by kill -9: nothing of it goes out any more."""
    member.line.is_cut = True
    await member.node._tasks.close()


def test_all_nodes_see_all_nodes() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        for member in (a, b, c):
            assert [info.name for info in member.node.nodes()] == ["a", "b", "c"]
            assert member.node.gauges()["cluster_nodes"] == 3.0

    run(scenario)


def test_facts_of_a_call_reach_every_node_in_order() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1", f.CallWasRouted("r", "echo"), ENDED)
        await settle()
        story = [("a", "c1", name) for name in ("CallWasOffered", "CallWasRouted", "CallHasEnded")]
        assert a.heard == b.heard == c.heard == story

    run(scenario)


def test_what_a_node_has_heard_of_phones_outlives_it_and_its_last_word_is_told() -> None:
    def registers(member: Member, phone: str, clock: ManualClock) -> None:
        now_ms = round(clock.wall() * 1000)
        member.node.phones.book.say(PhoneWord(phone, "sip:x@h", now_ms, now_ms + 600_000, "", "c1", 1), now_ms)

    def known(member: Member, clock: ManualClock) -> list[str]:
        now_ms = round(clock.wall() * 1000)
        return [name for name in ("anna", "bert") if member.node.phones.book.words(name, now_ms)]

    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        looked: list[int] = []
        b.node.heart.on_roster = lambda: looked.append(len(b.node.roster.nodes))
        registers(a, "anna", clock)
        await let_pass(clock, 2 * BEAT_S)
        assert known(b, clock) == known(c, clock) == ["anna"]
        await dies(a)
        registers(c, "bert", clock)
        await c.node.close()
        await let_pass(clock, TTL_S + 2 * BEAT_S)
        assert known(b, clock) == ["anna", "bert"]
        assert looked[0] == 3 and looked[-1] == 1

    run(scenario)


def test_the_calls_of_a_dead_node_are_ended_once_and_all_are_told() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1")
        a.calls("c2")
        a.calls("c3", ENDED)
        await settle()
        await dies(a)
        await let_pass(clock, TTL_S + 2 * BEAT_S)
        assert sorted(b.ended + c.ended) == [("a", "c1"), ("a", "c2")]
        assert b.lost_news == c.lost_news == [("a", ("c1", "c2"))]
        assert [info.name for info in b.node.nodes()] == ["b", "c"]
        assert sum(one.counters.get(ClusterCounter.NODES_LOST) for one in (b, c)) == 1
        await let_pass(clock, 10 * TTL_S)
        assert len(b.lost_news) == 1

    run(scenario)


def test_who_dies_while_ending_the_calls_of_another_is_followed_by_the_next() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1")
        await settle()
        await dies(a)
        hangs = asyncio.Event()

        async def never(*_: object) -> tuple[()]:
            hangs.set()
            await asyncio.Event().wait()
            return ()

        for member in (b, c):
            member.node.heart._end_lost = never
        async with asyncio.timeout(100):
            await let_pass(clock, TTL_S + 2 * BEAT_S)
            await hangs.wait()
        claimed = next(iter(b.line._shared._house.claims.values())).by.name  # type: ignore[attr-defined]
        dead, next_one = (b, c) if claimed == "b" else (c, b)
        await dies(dead)
        next_one.node.heart._end_lost = next_one._end_lost
        await let_pass(clock, 20.0)
        assert next_one.ended == [("a", "c1")] and ("a", ("c1",)) in next_one.lost_news

    run(scenario)


def test_nobody_is_buried_when_all_were_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        for member, call_id in ((a, "c1"), (b, "c2")):
            member.calls(call_id)
        await settle()
        for member in (a, b, c):
            member.line.is_cut = True
        await let_pass(clock, 5 * TTL_S)
        a.calls("c3")
        assert [member.contacts for member in (a, b, c)] == [[True, False]] * 3
        for member in (b, a, c):
            member.line.is_cut = False
            await let_pass(clock, BEAT_S)
        await let_pass(clock, 5 * TTL_S)
        assert a.ended == b.ended == c.ended == []
        assert set(c.node.heart.registry) == {"c1", "c2", "c3"}
        assert c.heard[-1] == ("a", "c3", "CallWasOffered")
        assert c.contacts == [True, False, True]

    with caplog.at_level(logging.ERROR):
        run(scenario)
    assert len(caplog.records) == 3, "each tells of it once"


def test_a_redis_that_forgot_everything_is_written_anew() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1")
        assert await a.node.lines.take("leg", [Line("trunk/t", 1)]) == ""
        for member in (a, b, c):
            member.line.is_cut = True
        await let_pass(clock, TTL_S)
        house = a.line._shared._house  # type: ignore[attr-defined]
        for memory in (house.known, house.alive, house.calls, house.lines, house.leases, house.told):
            memory.clear()
        for member in (a, b, c):
            member.line.is_cut = False
        await let_pass(clock, 3 * TTL_S)
        assert {owner.name for owner in b.node.heart.registry.values()} == {"a"}
        assert await b.node.lines.take("leg", [Line("trunk/t", 1)]) == "trunk/t"

    run(scenario)


def test_a_node_that_was_taken_for_dead_writes_itself_down_again() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1")
        await settle()
        a.line.is_cut = True
        await let_pass(clock, 2 * TTL_S)
        assert len(b.ended + c.ended) == 1
        a.line.is_cut = False
        await let_pass(clock, 3 * TTL_S)
        assert set(b.node.heart.registry) == {"c1"}
        assert [info.name for info in b.node.nodes()] == ["a", "b", "c"]
        assert len(b.ended + c.ended) == 1

    run(scenario)


def test_two_nodes_of_one_name_say_what_is_wrong_and_not_at_every_beat(caplog: pytest.LogCaptureFixture) -> None:
    """A machine that was copied."""
    clock = ManualClock()

    async def scenario() -> None:
        house = MemoryHouse(clock.monotonic)
        twins = [Member(house, clock, "a", seed) for seed in (0, 1)]
        for twin in twins:
            await twin.node.start()
            await let_pass(clock, 2 * TTL_S)
        await let_pass(clock, 20.0)
        assert all(twin.counters.get(ClusterCounter.FENCED) > 10 for twin in twins)
        for twin in twins:
            await twin.node.close()

    run_by(clock, scenario())
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 2, "one each"
    assert all("another node calls itself 'a' as well" in text and "cluster.node" in text for text in said)


def test_a_new_run_of_a_node_says_nothing_of_the_kind(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()

    async def scenario() -> None:
        house = MemoryHouse(clock.monotonic)
        before, now = (Member(house, clock, "a", seed) for seed in (0, 1))
        await before.node.start()
        await let_pass(clock, 2 * TTL_S)
        await dies(before)
        await now.node.start()
        await let_pass(clock, 2 * TTL_S)
        assert now.counters.get(ClusterCounter.FENCED) == 0
        await now.node.close()

    run_by(clock, scenario())
    assert not [record for record in caplog.records if record.levelno == logging.ERROR]


def test_lines_of_a_dead_node_are_free_again() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        line = [Line("trunk/t", 2)]
        assert [await a.node.lines.take(leg, line) for leg in ("1", "2", "3")] == ["", "", "trunk/t"]
        assert await b.node.lines.take("1", line) == "trunk/t"
        a.node.lines.free("1")
        a.node.lines.free("3")
        await settle()
        assert await b.node.lines.take("1", line) == ""
        await dies(a)
        await let_pass(clock, TTL_S + 2 * BEAT_S)
        assert await b.node.lines.take("2", line) == ""
        assert await c.node.lines.take("1", line) == "trunk/t"

    run(scenario)


def test_who_cannot_ask_goes_by_itself_and_tells_when_it_can() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        line = [Line("number/100", 1)]
        a.line.is_cut = True
        await let_pass(clock, BEAT_S)
        assert await a.node.lines.take("1", line) == ""
        assert await a.node.lines.take("2", line) == "number/100"
        assert await b.node.lines.take("1", line) == ""
        assert a.counters.get(ClusterCounter.LINES_UNSHARED) == 2
        a.line.is_cut = False
        await let_pass(clock, BEAT_S)
        b.node.lines.free("1")
        await settle()
        assert await b.node.lines.take("2", line) == "number/100"
        a.node.lines.free("1")
        await settle()
        assert await b.node.lines.take("2", line) == ""

    run(scenario)


def test_one_that_hangs_up_while_a_line_is_asked_for_leaves_none_behind() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        line = [Line("trunk/t", 1)]
        taking = asyncio.create_task(a.node.lines.take("1", line))
        a.node.lines.free("1")
        await taking
        a.node.lines.free("1")
        await settle()
        assert await b.node.lines.take("1", line) == ""

    run(scenario)


def test_one_node_has_a_lease_and_the_next_when_that_dies() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        for member in (a, b, c):
            member.node.leases.want(["register/t"])
        await let_pass(clock, 2 * BEAT_S)
        (holder,) = [member for member in (a, b, c) if member.leases == [("register/t", Hold.HELD)]]
        await dies(holder)
        await let_pass(clock, LEASE_S * 0.8)
        others = [member for member in (a, b, c) if member is not holder]
        assert not any(member.leases for member in others)
        await let_pass(clock, LEASE_S * 0.3)
        assert sorted(member.leases for member in others) == [[], [("register/t", Hold.HELD)]]

    run(scenario)


def test_a_node_that_leaves_hands_its_leases_over_at_once() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.node.leases.want(["register/t"])
        await let_pass(clock, BEAT_S)
        b.node.leases.want(["register/t"])
        a.node.leases.want([])
        await let_pass(clock, 2 * BEAT_S)
        assert a.leases == [("register/t", Hold.HELD), ("register/t", Hold.NONE)]
        assert b.leases == [("register/t", Hold.HELD)]

    run(scenario)


def test_without_contact_the_holder_freezes_and_goes_on_where_nobody_else_has_it() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.node.leases.want(["register/t"])
        await let_pass(clock, BEAT_S)
        a.line.is_cut = True
        await let_pass(clock, LEASE_S)
        assert a.leases[-1] == ("register/t", Hold.FROZEN)
        a.line.is_cut = False
        await let_pass(clock, 2 * BEAT_S)
        assert a.leases[-1] == ("register/t", Hold.HELD)
        a.line.is_cut = True
        await let_pass(clock, LEASE_S + BEAT_S)
        b.node.leases.want(["register/t"])
        await let_pass(clock, 2 * BEAT_S)
        assert b.leases == [("register/t", Hold.HELD)]
        a.line.is_cut = False
        await let_pass(clock, 2 * BEAT_S)
        assert a.leases[-1] == ("register/t", Hold.NONE)

    run(scenario)


def test_a_request_is_carried_out_by_the_other_node() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        answer = await a.node.bus.ask(b.node.owner, "end", b"c1", 5.0)
        assert (answer.outcome, answer.body, b.orders, c.orders) == (Outcome.DONE, b"C1", [("end", b"c1")], [])
        assert (await a.node.bus.ask(b.node.owner, "no", b"", 5.0)).outcome is Outcome.REFUSED

    run(scenario)


def test_a_request_to_a_node_that_dies_is_refused_as_soon_as_that_is_known() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        owner = b.node.owner
        await dies(b)
        asking = asyncio.create_task(a.node.bus.ask(owner, "end", b"", 30.0))
        await let_pass(clock, TTL_S + 3 * BEAT_S)
        answer = await asking
        assert answer.outcome is Outcome.REFUSED and "gone" in answer.text
        asking = asyncio.create_task(a.node.bus.ask(owner, "end", b"", 3.0))
        await let_pass(clock, 3.1)
        assert "does not answer" in (await asking).text
        a.line.is_cut = True
        assert "does not answer" in (await a.node.bus.ask(c.node.owner, "end", b"", 3.0)).text

    run(scenario)


def test_what_is_published_on_one_is_known_to_the_others_within_a_second() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.node.bus.announce("documents")
        await let_pass(clock, 1.0)
        assert (a.published, b.published, c.published) == ([], ["documents"], ["documents"])

    run(scenario)


def test_facts_that_nobody_can_hear_wait_and_the_oldest_are_dropped() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.line.is_cut = True
        for number in range(10_100):
            a.calls(f"c{number}")
        await let_pass(clock, 1.0)
        assert a.counters.get(ClusterCounter.FACTS_DROPPED) == 100
        a.line.is_cut = False
        await let_pass(clock, 5.0)
        assert len(b.heard) == 10_000 and b.heard[-1][1] == "c10099"

    run(scenario)


def test_who_leaves_in_good_order_is_not_buried() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.calls("c1")
        await settle()
        await a.node.close()
        await let_pass(clock, 2 * TTL_S)
        assert [info.name for info in b.node.nodes()] == ["b", "c"]
        assert b.ended == c.ended == b.lost_news == []

    run(scenario)


def test_other_times_and_addresses_count_from_the_next_beat_on() -> None:
    slow = replace(CONFIG, beat_ms=1000, node_ttl_ms=20_000)

    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.node.use(slow, Place("another name", "10.9.9.9:5080", "https://new.example", "0.1"))
        await let_pass(clock, 2 * BEAT_S)
        told = next(info for info in b.node.nodes() if info.name == "a")
        assert (told.sip, told.api) == ("10.9.9.9:5080", "https://new.example")
        await dies(a)
        await let_pass(clock, 5 * TTL_S)
        assert [info.name for info in b.node.nodes()] == ["a", "b", "c"], "it said that it may be silent for long"
        await let_pass(clock, 20.0 - 4 * TTL_S)
        assert [info.name for info in b.node.nodes()] == ["b", "c"]

    run(scenario)


def test_who_beats_more_often_is_missed_sooner() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.node.use(replace(CONFIG, beat_ms=100, node_ttl_ms=400), Place("a", "", "", "0.1"))
        await let_pass(clock, 4 * TTL_S)
        assert [info.name for info in b.node.nodes()] == ["a", "b", "c"] and a.contacts == [True]
        await dies(a)
        await let_pass(clock, 0.4 + 2 * BEAT_S)
        assert [info.name for info in b.node.nodes()] == ["b", "c"]

    run(scenario)


def test_a_lease_is_held_for_as_long_as_was_asked_for_whatever_is_set_meanwhile() -> None:
    async def scenario(clock: ManualClock, a: Member, b: Member, c: Member) -> None:
        a.node.leases.want(["register/t"])
        await let_pass(clock, 2 * BEAT_S)
        a.line.is_cut = True
        a.node.use(replace(CONFIG, lease_ttl_ms=60_000), Place("a", "", "", "0.1"))
        await let_pass(clock, LEASE_S)
        assert a.node.leases.hold("register/t") is not Hold.HELD, "nobody has granted it for longer"
        a.line.is_cut = False
        await let_pass(clock, 2 * BEAT_S)
        assert a.node.leases.hold("register/t") is Hold.HELD
        a.line.is_cut = True
        await let_pass(clock, 3 * LEASE_S)
        assert a.node.leases.hold("register/t") is Hold.HELD

    run(scenario)
