"""What nodes share behaves the same in memory and in a real Redis."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import msgspec
import pytest

from voicegw.base.clock import SystemClock
from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId, token
from voicegw.cluster.memory import MemoryHouse, MemoryShared
from voicegw.cluster.redis import RedisShared
from voicegw.ports.cluster import (
    MOST_CONTACTS,
    Beaten,
    Line,
    NodeInfo,
    NodeState,
    Notice,
    Owner,
    PhoneWord,
    Positions,
    SharedCall,
    SharedState,
)
from voicegw.testing.redis_server import RedisServer

LONG_S = 60.0
SHORT_S = 0.05


@dataclass(frozen=True)
class Kind:
    """A way to make the shared state of one more node."""

    join: Callable[[], SharedState]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no lost Redis."""
    monkeypatch.setattr("voicegw.cluster.redis.PATIENCE_S", 20.0)
    monkeypatch.setattr("voicegw.cluster.redis._CONNECT_S", 20.0)


@pytest.fixture(params=["memory", "redis"])
def kind(request: pytest.FixtureRequest) -> Kind:
    if request.param == "memory":
        house = MemoryHouse(SystemClock().monotonic, kept=100)
        return Kind(lambda: MemoryShared(house))
    server: RedisServer = request.getfixturevalue("redis")
    name = token(os.urandom)  # a cluster for each test, all in one Redis
    return Kind(lambda: RedisShared(server.url, name, kept=100))


def info(name: str, mark: str = "1", calls: int = 0) -> NodeInfo:
    return NodeInfo(name, mark, NodeState.READY, calls, 10, calls / 10, "0.1", "10.0.0.1:5060", "", "")


def call(id: str, called: str = "100") -> SharedCall:
    return SharedCall(CallId(id), called)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while True:
            if await holds():
                return
            await asyncio.sleep(SHORT_S / 10)


def run(kind: Kind, scenario: Callable[[SharedState, SharedState], Awaitable[None]]) -> None:
    """With the state as two nodes see it."""

    async def whole() -> None:
        one, two = kind.join(), kind.join()
        try:
            await scenario(one, two)
        finally:
            await one.close()
            await two.close()

    asyncio.run(whole())


A, B = Owner("a", "1"), Owner("b", "1")


async def is_lost(shared: SharedState, owner: Owner) -> bool:
    return owner in (await shared.roster()).lost


def test_nodes_see_one_another_until_they_fall_silent(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        assert await one.beat(info("a"), LONG_S) is Beaten.NEW
        assert await one.beat(info("a", calls=3), LONG_S) is Beaten.KNOWN
        assert await two.beat(info("b"), SHORT_S) is Beaten.NEW
        await until(lambda: is_lost(one, B))
        roster = await one.roster()
        assert [(node.name, node.calls) for node in roster.nodes] == [("a", 3)] and roster.lost == (B,)

    run(kind, scenario)


def test_who_leaves_in_good_order_is_not_lost(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await one.beat(info("a"), LONG_S)
        await one.put_calls(A, [call("c1")])
        await one.take_lines(A, "leg", [Line("trunk/t", 1)])
        await one.leave(A)
        assert await two.roster() == ((), ())
        assert await two.take_lines(B, "leg", [Line("trunk/t", 1)]) == ""
        assert await two.claim_lost(B, A, LONG_S) is None

    run(kind, scenario)


def test_calls_stand_in_the_registry_of_their_node(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await one.beat(info("a"), LONG_S)
        await two.beat(info("b"), LONG_S)
        await one.put_calls(A, [call("c1"), call("c2")])
        await two.put_calls(B, [call("c3", "200")])
        await one.drop_calls(A, [CallId("c1")])
        found = await two.calls()
        assert {owner: [one.call_id for one in calls] for owner, calls in found.items()} == {A: ["c2"], B: ["c3"]}
        await one.rewrite(A, [call("c4")], {})
        assert [one.call_id for one in (await two.calls())[A]] == ["c4"]
        await one.put_calls(A, [])
        await one.drop_calls(A, [])

    run(kind, scenario)


def test_a_lost_node_is_fenced_and_its_calls_are_ended_by_one(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await one.beat(info("a"), SHORT_S)
        await one.put_calls(A, [call("c1")])
        await one.take_lines(A, "leg", [Line("trunk/t", 1)])
        await until(lambda: is_lost(two, A))
        claims = await asyncio.gather(
            *(shared.claim_lost(Owner(name, "1"), A, LONG_S) for shared, name in ((one, "b"), (two, "c")))
        )
        assert sorted(claims, key=bool) == [None, (call("c1"),)]
        winner, loser = (B, Owner("c", "1")) if claims[0] else (Owner("c", "1"), B)
        assert await two.take_lines(B, "other", [Line("trunk/t", 1)]) == ""  # its line is free at once
        assert not await one.settle_lost(loser, A, [b"twice"])
        assert await one.settle_lost(winner, A, [b"c1 is over"])
        assert not await one.settle_lost(winner, A, [b"c1 is over"])
        assert [one.data for one in await two.read(B, Positions(), SHORT_S)] == [b"c1 is over"]
        assert not (await two.roster()).lost

    run(kind, scenario)


def test_a_claim_that_is_not_used_is_the_next_ones(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await one.beat(info("a"), SHORT_S)
        await one.put_calls(A, [call("c1")])
        await until(lambda: is_lost(one, A))
        assert await one.claim_lost(B, A, SHORT_S) == (call("c1"),)

        async def claimed() -> bool:
            return await two.claim_lost(Owner("c", "1"), A, LONG_S) == (call("c1"),)

        await until(claimed)
        assert not await one.settle_lost(B, A, [])
        assert await two.settle_lost(Owner("c", "1"), A, [])

    run(kind, scenario)


def test_who_is_there_cannot_be_claimed(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await one.beat(info("a"), LONG_S)
        assert await two.claim_lost(B, A, LONG_S) is None
        assert await two.claim_lost(B, Owner("a", "other"), LONG_S) is None
        assert await one.beat(info("a"), LONG_S) is Beaten.KNOWN

    run(kind, scenario)


def test_a_fenced_node_that_comes_back_is_told_to_write_anew(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await one.beat(info("a"), SHORT_S)
        await one.put_calls(A, [call("c1")])
        await until(lambda: is_lost(two, A))
        assert await two.claim_lost(B, A, LONG_S) is not None
        assert await one.beat(info("a"), LONG_S) is Beaten.NEW
        await one.rewrite(A, [call("c1")], {"leg": ["trunk/t"]})
        assert await two.settle_lost(B, A, [])
        assert [one.call_id for one in (await two.calls())[A]] == ["c1"]
        assert await two.take_lines(B, "leg", [Line("trunk/t", 1)]) == "trunk/t"

    run(kind, scenario)


def test_a_new_run_of_a_node_leaves_the_calls_of_the_old_one_to_be_ended(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await one.beat(info("a"), LONG_S)
        await one.put_calls(A, [call("c1")])
        assert await two.beat(info("a", "2"), LONG_S) is Beaten.REPLACED
        roster = await two.roster()
        assert [node.mark for node in roster.nodes] == ["2"] and roster.lost == (A,)
        assert await two.claim_lost(Owner("a", "2"), A, LONG_S) == (call("c1"),)
        assert await two.settle_lost(Owner("a", "2"), A, [])
        assert [node.mark for node in (await two.roster()).nodes] == ["2"]

    run(kind, scenario)


def test_lines_are_counted_over_all_nodes(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        trunk, number = Line("trunk/t", 2), Line("number/100", 1)
        assert await one.take_lines(A, "leg1", [trunk, number]) == ""
        assert await one.take_lines(A, "leg1", [trunk, number]) == ""  # asked twice, taken once
        assert await two.take_lines(B, "leg1", [trunk, number]) == "number/100"
        assert await two.take_lines(B, "leg2", [trunk]) == ""
        assert await two.take_lines(B, "leg3", [trunk]) == "trunk/t"
        await one.free_lines(A, "leg1")
        await one.free_lines(A, "leg1")
        assert await two.take_lines(B, "leg3", [trunk, number]) == ""
        await two.rewrite(B, [], {"leg3": ["trunk/t"]})
        assert await one.take_lines(A, "leg4", [trunk, number]) == ""
        assert await one.take_lines(A, "leg5", [trunk]) == "trunk/t"

    run(kind, scenario)


def test_a_holder_that_takes_others_gives_back_what_it_had(kind: Kind) -> None:
    """A call that is sent on falls under another toll rule."""

    async def scenario(one: SharedState, two: SharedState) -> None:
        trunk, first, second = (Line(name, 1) for name in ("trunk/t", "toll/first", "toll/second"))
        assert await one.take_lines(A, "leg", [first, trunk]) == ""
        assert await one.take_lines(A, "leg", [second, trunk]) == ""
        assert await two.take_lines(B, "leg", [first]) == ""
        assert await one.take_lines(A, "leg", [first, trunk]) == "toll/first"
        assert await two.take_lines(B, "other", [second]) == "toll/second", "who is refused keeps what they have"
        await one.free_lines(A, "leg")
        assert await two.take_lines(B, "other", [second, trunk]) == ""

    run(kind, scenario)


def test_a_run_that_took_a_line_after_it_was_taken_for_dead_and_died_has_none(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await two.beat(info("b"), LONG_S)
        await one.beat(info("a"), SHORT_S)
        await until(lambda: is_lost(two, A))
        assert await two.claim_lost(B, A, LONG_S) == ()
        assert await two.settle_lost(B, A, [])
        assert await one.take_lines(A, "leg", [Line("trunk/t", 1)]) == "", "it does not know yet"
        assert await two.take_lines(B, "leg", [Line("trunk/t", 1)]) == ""
        assert await two.take_lines(B, "other", [Line("trunk/t", 1)]) == "trunk/t"

    run(kind, scenario)


def test_racing_nodes_never_take_more_lines_than_there_are(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        takes = [
            shared.take_lines(owner, f"leg{number}", [Line("trunk/t", 7)])
            for number in range(20)
            for shared, owner in ((one, A), (two, B))
        ]
        assert (await asyncio.gather(*takes)).count("") == 7

    run(kind, scenario)


def test_one_at_a_time_has_a_lease_and_tokens_grow(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        first = await one.take_lease("r", A, LONG_S)
        assert first > 0 and await two.take_lease("r", B, LONG_S) == 0
        assert await one.take_lease("r", A, LONG_S) == first
        assert await one.keep_lease("r", A, first, SHORT_S)
        assert not await two.keep_lease("r", B, first, LONG_S)

        async def taken() -> bool:
            return await two.take_lease("r", B, LONG_S) > first

        await until(taken)
        assert not await one.keep_lease("r", A, first, LONG_S)
        await one.give_lease("r", A, first)  # not ours to give
        second = await two.take_lease("r", B, LONG_S)
        await two.give_lease("r", B, second)
        assert await one.take_lease("r", A, LONG_S) > second

    run(kind, scenario)


def test_the_newest_word_on_a_source_is_kept_and_what_is_over_is_dropped(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        now = SystemClock().wall()
        ban = Notice("198.51.100.4", "scanner", now, now + LONG_S, "a")
        empty = await two.notices(None)
        assert not empty.found and await two.notices(empty.version) == (empty.version, None)
        await one.put_notices([ban, Notice("::1", "flood", now, now + LONG_S, "a")])
        known = await two.notices(empty.version)
        assert sorted(found.host for found in known.found or ()) == ["198.51.100.4", "::1"]
        await two.put_notices([Notice(ban.host, "flood", now - 1, now + 2 * LONG_S, "b"), ban])
        assert await one.notices(known.version) == (known.version, None), (
            "an older word and the same one change nothing"
        )
        lifted = Notice(ban.host, "scanner", now + 1, now + LONG_S, "b", lifted=True)
        await two.put_notices([lifted])
        assert lifted in ((await one.notices(known.version)).found or ())

    run(kind, scenario)


def test_redis_drops_words_that_are_over_and_what_is_none(redis: RedisServer) -> None:
    async def scenario(one: SharedState, _two: SharedState) -> None:
        now = SystemClock().wall()
        assert isinstance(one, RedisShared)
        await one._redis.hset(
            one._key("bans"), mapping={"x": "no word", "y": "{}", "::2": '{"at": "1", "until": "9e9"}'}
        )
        await one.put_notices([Notice("::1", "flood", now - 9, now - 1, "a")])
        assert [found.host for found in (await one.notices(None)).found or ()] == ["::1"]
        await one.put_notices([Notice("::2", "flood", now, now + LONG_S, "a")])
        assert [found.host for found in (await one.notices(None)).found or ()] == ["::2"]

    name = token(os.urandom)
    run(Kind(lambda: RedisShared(redis.url, name)), scenario)


def said(contact: str, at_ms: int, **more: object) -> PhoneWord:
    word = PhoneWord("anna", contact, at_ms, at_ms + 60_000, "a", "c1", 1, path=("<sip:p;lr>",))
    return msgspec.structs.replace(word, **more)


def test_the_newest_word_on_a_contact_is_kept_and_changes_are_read_from_where_one_was(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        now = round(SystemClock().wall() * 1000)
        assert (await one.phone_version()).number == 0 and await one.phones(0, 10) == (0, ())
        desk, soft, other = said("sip:x@h", now), said("sip:y@h", now), said("sip:z@h", now, phone="bert")
        await one.put_phones([desk, soft, other])
        version = await two.phone_version()
        page = await two.phones(0, 10)
        assert version.number >= page.number > 0 and version.epoch
        assert sorted(page.words, key=lambda word: word.contact) == [desk, soft, other]
        assert (await two.phones(page.number, 10)).words == ()
        older = said("sip:x@h", now - 3000, cseq=9, by="z")
        await two.put_phones([older, desk, said("sip:x@h", now, by="A")])
        assert await one.phone_version() == version, "an older word and the same one change nothing"
        gone = said("sip:x@h", now - 1000, cseq=2, gone=True, by="b")
        await two.put_phones([gone])
        changed = await one.phones(page.number, 10)
        assert sorted(changed.words, key=lambda word: word.contact) == [gone, soft], (
            "all that is known of that phone"
        )
        anew = said("sip:x@h", now + 2000, by="b")
        await two.put_phones([anew])
        assert anew in (await one.phones(changed.number, 10)).words
        after = await one.phone_version()
        assert after.epoch == version.epoch and after.number > version.number

    run(kind, scenario)


def test_many_phones_are_read_page_by_page_and_one_phone_has_a_limit(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        now = round(SystemClock().wall() * 1000)
        await one.put_phones([said("sip:x@h", now, phone=f"p{number}") for number in range(10)])
        number, read = 0, list[str]()
        while (page := await two.phones(number, 3)).number:
            number, read = page.number, [*read, *(word.phone for word in page.words)]
        assert read == [f"p{number}" for number in range(10)]
        many = [said(f"sip:{at}@h", now + at, gone=at % 2 == 0) for at in range(MOST_CONTACTS + 4)]
        await one.put_phones(many)
        kept = [word.contact for word in (await two.phones(number, 1)).words]
        assert sorted(kept) == sorted(word.contact for at, word in enumerate(many) if at not in (0, 2, 4, 6))

    run(kind, scenario)


def test_redis_forgets_phones_that_are_over_and_what_is_none(redis: RedisServer) -> None:
    async def scenario(one: SharedState, _two: SharedState) -> None:
        now = round(SystemClock().wall() * 1000)
        assert isinstance(one, RedisShared)
        await one._redis.hset(one._key("phones"), mapping={"anna": '["no word", "{}", 7]', "bert": "none"})
        over = said("sip:x@h", now - 90_000, phone="carl")
        await one.put_phones([over])
        assert (await one.phone_version()).number == 0, "it was over when it was said"
        await one.put_phones([said("sip:x@h", now), said("sip:x@h", now, phone="bert")])
        assert [word.phone for word in (await one.phones(0, 10)).words] == ["anna", "bert"]
        await one._redis.zadd(one._key("phones:ends"), {"anna": now - 1})
        await one.put_phones([said("sip:x@h", now, phone="dora")])
        assert sorted(await one._redis.hkeys(one._key("phones"))) == [b"bert", b"dora"]

    name = token(os.urandom)
    run(Kind(lambda: RedisShared(redis.url, name)), scenario)


def test_messages_come_in_order_and_to_whom_they_are_for(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await one.tell([b"1", b"2"])
        await one.send(B, b"mine")
        found = await two.read(B, Positions(), LONG_S)
        assert {(one.to_all, one.data) for one in found} == {(True, b"1"), (True, b"2"), (False, b"mine")}
        told = [one for one in found if one.to_all]
        assert [one.data for one in told] == [b"1", b"2"]
        own = next(one.position for one in found if not one.to_all)
        after = Positions(told[0].position, own)
        assert [one.data for one in await two.read(B, after, SHORT_S)] == [b"2"]
        after = Positions(told[1].position, own)
        assert list(await two.read(B, after, SHORT_S)) == []
        reading = asyncio.create_task(two.read(B, after, LONG_S))
        await asyncio.sleep(0)
        await one.tell([b"3"])
        while not (came := await reading):
            reading = asyncio.create_task(two.read(B, after, LONG_S))
        assert [one.data for one in came] == [b"3"]

    run(kind, scenario)


def test_a_stream_forgets_its_oldest_messages(kind: Kind) -> None:
    async def scenario(one: SharedState, two: SharedState) -> None:
        await one.tell([b"%d" % number for number in range(1000)])
        found = [one.data for one in await two.read(B, Positions(), LONG_S)]
        assert len(found) <= 300 and b"0" not in found
        one.keep(400)
        await one.tell([b"%d" % number for number in range(1000, 2000)])
        found = [one.data for one in await two.read(B, Positions(), LONG_S)]
        assert 400 <= len(found) <= 500 and b"1999" in found, "as many as is wished from then on"

    run(kind, scenario)


def test_a_redis_that_is_away_is_told_and_one_that_comes_back_is_used() -> None:
    async def scenario() -> None:
        shared = RedisShared(server.url, "c")
        await shared.beat(info("a"), LONG_S)
        server.stop()
        with pytest.raises(ProviderError, match="redis"):
            await shared.roster()
        with pytest.raises(ProviderError):
            await shared.read(A, Positions(), SHORT_S)
        server.start()
        assert await shared.beat(info("a"), LONG_S) is Beaten.NEW  # forgotten: to be written anew
        assert [node.name for node in (await shared.roster()).nodes] == ["a"]
        await shared.close()

    with RedisServer() as server:
        asyncio.run(scenario())
