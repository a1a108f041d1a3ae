"""Phones of nodes behind a balancer: who registers at one is called by all, who has left one has left all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from tests.unit.cluster.house import Line
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.cluster.memory import MemoryHouse, MemoryShared
from voicegw.cluster.phones import SharedPhones
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.phone_config import PhoneAccount, PhonesConfig
from voicegw.ports.cluster import PhoneWord
from voicegw.server_cluster_phones import PhonesTogether, believed
from voicegw.sip.address import Address
from voicegw.sip.bindings import Binding
from voicegw.sip.digest import Algorithm
from voicegw.sip.message import Headers, Request
from voicegw.testing.manual_clock import ManualClock

BALANCER = Address("192.0.2.4", 5060)
PATH = "<sip:192.0.2.4;lr;received=sip:198.51.100.7:40001>"
PHONE = "sip:anna@10.0.0.7:5060"
ACCOUNT = PhoneAccount("anna", {Algorithm.SHA_256: "0" * 64})


class Keeper:
    """What a gateway keeps of its phones, without one."""

    def __init__(self, book: PhoneBook, clock: ManualClock) -> None:
        self._book = book
        self._clock = clock
        self.watched: list[str] = []
        self.asked: tuple[str, ...] = ()
        """Contacts that it asked whether they are there when it last looked."""
        self.is_ours_to_ping: Callable[[str, Binding], bool] = lambda _name, _binding: True

    def adopt(self, name: str, bindings: tuple[Binding, ...]) -> None:
        if self._book.account(name) is not None:
            self._book.adopt(name, bindings, self._clock.monotonic())
            self.watch(name)

    def watch(self, name: str) -> None:
        self.watched.append(name)
        bound = self._book.registrar.bindings(name, self._clock.monotonic())
        self.asked = tuple(one.contact for one in bound if self.is_ours_to_ping(name, one))


class Side:
    """A node; ``register`` is the end of a REGISTER that came by the balancer, or with ``path=""`` directly."""

    def __init__(self, world: World, name: str, *accounts: PhoneAccount) -> None:
        self._world, clock = world, world.clock
        self.book = PhoneBook(PhonesConfig("voice.test"), os.urandom)
        self.book.is_balancer = lambda host: host == BALANCER.host
        self.book.set_accounts(accounts)
        self.keeper = Keeper(self.book, clock)
        self.line = Line(MemoryShared(world.house))
        self.phones = SharedPhones(self.line, name, clock.wall)  # type: ignore[arg-type]
        self.counters = Counters()
        self.together = PhonesTogether(
            self.book,
            self.keeper,  # type: ignore[arg-type]
            self.phones,
            clock,
            self.counters,
            lambda: frozenset(world.alive),
        )

    def register(
        self, contact: str = PHONE, expires: int = 600, *, cseq: int = 0, call_id: str = "c1", path: str = PATH
    ) -> int:
        world = self._world
        world.cseq = cseq or world.cseq + 1
        pairs = [("Call-ID", call_id), ("CSeq", f"{world.cseq} REGISTER"), ("Expires", str(expires))]
        pairs += [("Contact", contact if contact == "*" else f"<{contact}>"), *([("Path", path)] if path else [])]
        request = Request("REGISTER", "sip:voice.test", Headers(pairs))
        done = self.book.registrar.register("anna", request, BALANCER, world.clock.monotonic())
        if done.status == 200:
            self.keeper.watch("anna")  # in the order of the book
            self.together.followed("anna", done)
        return done.status

    @property
    def bound(self) -> list[str]:
        return [one.contact for one in self.book.registrar.bindings("anna", self._world.clock.monotonic())]


class World:
    """Two nodes behind one balancer, with the clock in hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.house = MemoryHouse(self.clock.monotonic)
        self.alive = {"a", "b"}
        self.cseq = 0
        self.a, self.b = Side(self, "a", ACCOUNT), Side(self, "b", ACCOUNT)

    async def turns(self, *sides: Side) -> None:
        for side in sides or (self.a, self.b, self.a):
            self.clock.advance(0.5)
            await side.phones.turn()


def played(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario(World())

    asyncio.run(whole())


def test_who_registers_at_one_is_bound_at_all_with_the_same_way_and_time() -> None:
    async def scenario(world: World) -> None:
        world.a.register(expires=600)
        until = world.clock.monotonic() + 600
        await world.turns()
        (bound,) = world.b.book.registrar.bindings("anna", world.clock.monotonic())
        assert (bound.contact, bound.source, bound.path) == (PHONE, BALANCER, (PATH,))
        assert abs(bound.expires_at - until) < 0.01
        assert world.b.book.state("anna", world.clock.monotonic()).registered
        world.clock.advance(600)
        assert world.a.bound == world.b.bound == []

    played(scenario)


def test_a_refresh_and_a_leave_at_another_node_count_at_all() -> None:
    async def scenario(world: World) -> None:
        world.a.register()
        await world.turns()
        world.clock.advance(500)
        assert world.b.register() == 200
        assert world.b.register(cseq=1) == 500, "numbers go on from node to node"
        await world.turns()
        world.clock.advance(500)
        assert world.a.bound == [PHONE]
        assert world.b.register(expires=0, cseq=3) == 200
        await world.turns()
        assert world.a.bound == world.b.bound == []
        world.a.register()
        world.a.register("sip:anna@10.0.0.8")
        await world.turns()
        assert len(world.b.bound) == 2
        world.b.register("*", 0)
        await world.turns()
        assert world.a.bound == []

    played(scenario)


def test_who_leaves_while_redis_is_away_has_left_when_it_is_back() -> None:
    """The other node has never heard of it, and the one that has it is not asked."""

    async def scenario(world: World) -> None:
        world.a.line.is_cut = world.b.line.is_cut = True
        world.a.register()
        with pytest.raises(ProviderError):
            await world.a.phones.turn()
        assert world.a.bound == [PHONE] and world.b.bound == []
        assert world.b.register(expires=0) == 200
        world.a.line.is_cut = world.b.line.is_cut = False
        await world.turns()
        assert world.a.bound == []
        world.a.register()
        await world.turns()
        assert world.b.bound == [PHONE], "it comes again"

    played(scenario)


@pytest.mark.parametrize("spellings", [("HOST", "host"), ("host", "HOST")])
def test_another_spelling_of_a_contact_is_the_same_phone(spellings: tuple[str, str]) -> None:
    async def scenario(world: World) -> None:
        one, other = (f"sip:anna@{host}.example;transport=udp" for host in spellings)
        world.a.register(one)
        await world.turns()
        world.b.register(other, 60)
        await world.turns()
        assert world.a.bound == [other]
        world.b.register(other, 0)
        await world.turns()
        world.clock.advance(120)
        await world.turns()
        assert world.a.bound == world.b.bound == []

    played(scenario)


def test_a_phone_that_registers_directly_is_that_nodes_own() -> None:
    async def scenario(world: World) -> None:
        world.a.register()
        await world.turns()
        world.b.register(path="")
        await world.turns()
        assert world.b.bound == [PHONE] and world.a.bound == []
        world.b.register("sip:anna@10.0.0.8")
        await world.turns()
        assert world.a.bound == ["sip:anna@10.0.0.8"]
        assert sorted(world.b.bound) == [PHONE, "sip:anna@10.0.0.8"], "what is said of one device changes no other"

    played(scenario)


def test_a_lost_device_is_lost_for_all() -> None:
    async def scenario(world: World) -> None:
        world.a.register()
        await world.turns()
        (bound,) = world.a.book.registrar.bindings("anna", world.clock.monotonic())
        assert world.a.book.drop("anna", bound, world.clock.monotonic())
        await world.turns()
        assert world.b.bound == []

    played(scenario)


def test_one_node_asks_a_device_and_another_one_when_it_is_gone() -> None:
    async def scenario(world: World) -> None:
        world.a.register()
        await world.turns()
        (bound,) = world.b.book.registrar.bindings("anna", world.clock.monotonic())
        asks = [side.keeper.is_ours_to_ping("anna", bound) for side in (world.a, world.b)]
        assert asks == [True, False]
        world.b.keeper.watched.clear()
        world.alive.discard("a")
        world.b.together.look_around()
        assert world.b.keeper.watched == ["anna"] and world.b.keeper.is_ours_to_ping("anna", bound)
        world.b.together.look_around()
        assert world.b.keeper.watched == ["anna"], "nothing has changed"
        world.alive.add("c")
        world.b.together.look_around()
        assert world.b.keeper.watched == ["anna"], "nothing that concerns it"
        world.alive.add("a")
        assert not world.b.keeper.is_ours_to_ping("anna", bound)

    played(scenario)


def test_who_hears_a_refresh_asks_the_device_from_then_on() -> None:
    """The balancer sends it to nodes by turns, and asking is what keeps the way through NAT open."""

    async def scenario(world: World) -> None:
        for side, other in ((world.a, world.b), (world.b, world.a), (world.a, world.b)):
            assert side.register() == 200
            await world.turns()
            assert (side.keeper.asked, other.keeper.asked) == ((PHONE,), ())

    played(scenario)


def test_a_new_password_ends_what_was_bound_and_not_what_is_bound_with_it() -> None:
    async def scenario(world: World) -> None:
        other = PhoneAccount("anna", {Algorithm.SHA_256: "1" * 64})
        world.a.register()
        await world.turns()
        world.a.book.set_accounts((other,))
        assert world.a.bound == []
        world.a.register("sip:anna@10.0.0.8")
        await world.turns()
        world.b.book.set_accounts((other,))  # it is late
        await world.turns(world.b, world.a, world.b)
        assert world.a.bound == world.b.bound == ["sip:anna@10.0.0.8"]
        world.alive.discard("a")
        world.b.book.set_accounts((ACCOUNT,))
        await world.turns(world.b, world.a)
        assert world.b.bound == world.a.bound == [], "nobody else can take back what a dead node has said"

    played(scenario)


def test_an_account_that_is_known_later_than_its_phone() -> None:
    async def scenario(world: World) -> None:
        late = Side(world, "c")
        world.a.register()
        await world.turns(world.a, late)
        assert late.bound == []
        late.book.set_accounts((ACCOUNT,))
        assert late.bound == [PHONE]
        late.book.set_accounts(())
        assert late.bound == []
        await world.turns(late, world.a)
        assert world.a.bound == [PHONE], "that is for the node to say which has registered it"

    played(scenario)


def test_what_the_store_remembers_gives_way_to_what_nodes_say() -> None:
    async def scenario(world: World) -> None:
        world.a.register()
        (stored,) = world.a.book.registrar.bindings("anna", world.clock.monotonic())
        world.a.register(expires=0)
        world.a.register("sip:anna@10.0.0.8")
        await world.turns()
        now = world.clock.monotonic()
        world.b.book.restore("anna", (stored,), now)
        assert world.b.bound == ["sip:anna@10.0.0.8"]
        alone = Binding("sip:anna@10.0.0.9", BALANCER, now + 60, "c9", 1, path=(PATH,))
        world.b.book.restore("anna", (alone,), now)
        assert sorted(world.b.bound) == ["sip:anna@10.0.0.8", "sip:anna@10.0.0.9"], "nobody has said anything of it"

    played(scenario)


def word(**said: object) -> PhoneWord:
    made = PhoneWord("anna", PHONE, 0, 2**41, "x", "c", 1, host=BALANCER.host, path=(PATH,))
    return msgspec.structs.replace(made, **said)


@pytest.mark.parametrize(
    "said",
    [
        {"host": "198.51.100.66"},
        {"host": "localhost"},
        {"port": 0},
        {"port": 70_000},
        {"transport": "SCTP"},
        {"path": ()},
        {"path": ("<sip:192.0.2.4>",)},
        {"path": (PATH,) * 2},
        {"path": tuple(f"<sip:p{number}.example;lr>" for number in range(5))},
        {"contact": "tel:+4930123"},
        {"contact": f"sip:{'a' * 600}@h"},
    ],
)
def test_words_that_are_not_believed(said: dict[str, object]) -> None:
    """Calls go to a balancer of this node, whatever stands in what the nodes share."""

    def is_balancer(host: str) -> bool:
        return host == BALANCER.host

    assert believed(word(), is_balancer) and not believed(word(**said), is_balancer)

    async def scenario(world: World) -> None:
        await MemoryShared(world.house).put_phones([word(at_ms=world.a.phones.now_ms, **said)])
        await world.turns()
        assert world.a.bound == []

    played(scenario)


@pytest.mark.parametrize("contact", ["tel:+4930123", "nothing", "sip:"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_word_on_what_is_no_contact_is_in_nobodys_way(contact: str, gone: bool) -> None:
    """Whoever wrote it into what the nodes share."""

    async def scenario(world: World) -> None:
        bad = word(contact=contact, gone=gone, at_ms=world.a.phones.now_ms, by="a")
        await MemoryShared(world.house).put_phones([bad])
        world.a.register()
        await world.turns()
        assert world.b.bound == [PHONE]
        (bound,) = world.b.book.registrar.bindings("anna", world.clock.monotonic())
        assert [side.keeper.is_ours_to_ping("anna", bound) for side in (world.a, world.b)] == [True, False]
        assert world.b.register(expires=0) == 200
        world.a.together.removed("anna")
        await world.turns()
        assert world.a.bound == []

    played(scenario)


def test_no_word_binds_for_longer_than_a_registrar_grants() -> None:
    async def scenario(world: World) -> None:
        await MemoryShared(world.house).put_phones([word(at_ms=world.a.phones.now_ms)])
        await world.turns()
        assert world.a.bound == [PHONE]
        world.clock.advance(7201)
        assert world.a.bound == []

    played(scenario)
