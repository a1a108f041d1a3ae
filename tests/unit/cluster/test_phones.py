"""Where phones are: the newest word on a contact counts at all nodes, in whatever order it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.cluster.house import Line
from voicegw.base.errors import ProviderError
from voicegw.cluster import phones as module
from voicegw.cluster.memory import MemoryHouse, MemoryShared
from voicegw.cluster.phones import ContactBook, SharedPhones
from voicegw.ports.cluster import CLOCKS_MS, MOST_CONTACTS, PhoneWord, is_newer

NOW_MS = 1_000_000_000
HOUR_MS = 3_600_000


def word(contact: str = "sip:anna@10.0.0.7", cseq: int = 1, **said: object) -> PhoneWord:
    made = PhoneWord(
        "anna", contact, NOW_MS, NOW_MS + HOUR_MS, "a", "c1", cseq, host="192.0.2.4", path=("<sip:p;lr>",)
    )
    return msgspec.structs.replace(made, **said)


class Member:
    """A node, and how it reaches the others."""

    def __init__(self, world: World, name: str) -> None:
        self.line = Line(MemoryShared(world.house))
        self.phones = SharedPhones(self.line, name, lambda: world.now_ms / 1000)  # type: ignore[arg-type]
        self.news: list[str] = []
        self.phones.on_news = self.news.extend
        self._world = world

    def say(self, said: PhoneWord) -> None:
        self.phones.book.say(said, self._world.now_ms)

    def bound(self, phone: str = "anna") -> list[str]:
        return [one.contact for one in self.phones.book.words(phone, self._world.now_ms) if not one.gone]


class World:
    """Nodes that share a memory, and their clock."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.house = MemoryHouse(lambda: self.now_ms / 1000)
        self.a, self.b = Member(self, "a"), Member(self, "b")

    async def turns(self, *members: Member) -> None:
        for member in members or (self.a, self.b, self.a):
            self.now_ms += 500
            await member.phones.turn()

    def forgets(self) -> None:
        """Redis starts anew, with nothing."""
        self.house.phones.clear()
        self.house.phone_changes.clear()
        self.house.phones_epoch += 1


def played(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario(World())

    asyncio.run(whole())


def test_a_phone_is_known_everywhere_until_it_leaves_anywhere() -> None:
    async def scenario(world: World) -> None:
        world.a.say(word())
        await world.turns()
        assert world.b.bound() == ["sip:anna@10.0.0.7"] and world.b.news == ["anna"] and world.a.news == []
        await world.turns()
        assert world.b.news == ["anna"], "nothing is told twice"
        late = Member(world, "c")
        await world.turns(late)
        assert late.bound() == world.a.bound()
        late.say(word(cseq=2, gone=True))
        await world.turns(late, world.a, world.b)
        assert world.a.bound() == world.b.bound() == []
        world.a.say(word(cseq=1))
        await world.turns()
        assert world.b.bound() == ["sip:anna@10.0.0.7"], "a phone that has left may begin anew, also at 1"

    played(scenario)


def test_what_was_said_while_redis_was_away_is_told_later_and_the_newest_counts() -> None:
    async def scenario(world: World) -> None:
        world.a.say(word())
        await world.turns()
        world.a.line.is_cut = world.b.line.is_cut = True
        world.now_ms += 10_000
        world.a.say(word("sip:anna@10.0.0.8"))
        world.b.say(word(cseq=2, gone=True))
        for member in (world.a, world.b):
            with pytest.raises(ProviderError):
                await member.phones.turn()
        assert world.a.bound() == ["sip:anna@10.0.0.7", "sip:anna@10.0.0.8"] and world.b.bound() == []
        world.forgets()
        world.a.line.is_cut = world.b.line.is_cut = False
        await world.turns()
        assert world.a.bound() == world.b.bound() == ["sip:anna@10.0.0.8"], "who told first did not win"

    played(scenario)


def test_a_redis_that_has_forgotten_everything_is_told_again_though_nobody_saw_it_go() -> None:
    async def scenario(world: World) -> None:
        world.a.say(word())
        await world.turns()
        world.forgets()
        world.b.say(word(phone="bert"))
        await world.turns(world.b, world.a)
        late = Member(world, "c")
        await world.turns(late)
        assert late.bound("anna") and late.bound("bert") and world.a.bound("bert")

    played(scenario)


def test_many_phones_are_read_and_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 3)

    async def scenario(world: World) -> None:
        for number in range(10):
            world.a.say(word(phone=f"p{number}"))
        await world.turns()
        assert len(world.b.phones.book) == 10 and sorted(world.b.news) == [f"p{number}" for number in range(10)]

    played(scenario)


def test_what_is_over_is_forgotten_and_a_word_that_is_over_is_no_news() -> None:
    async def scenario(world: World) -> None:
        world.a.say(word())
        await world.turns(world.a)
        world.now_ms += HOUR_MS
        await world.turns(world.a, world.b)
        assert world.a.bound() == [] and len(world.a.phones.book) == 0 and world.b.news == []

    played(scenario)


def test_what_a_phone_numbers_counts_between_clocks_that_differ() -> None:
    first, second = word(cseq=1, at_ms=NOW_MS + CLOCKS_MS), word(cseq=2, at_ms=NOW_MS, by="b")
    assert is_newer(second, first) and not is_newer(first, second)
    late = word(cseq=1, at_ms=NOW_MS + CLOCKS_MS + 1)
    assert is_newer(late, second) and not is_newer(second, late), "the phone was started anew"
    other = word(cseq=1, at_ms=NOW_MS + 1, call_id="c2")
    assert is_newer(other, second), "another Call-ID has numbers of its own"


def test_the_words_on_one_phone_have_a_limit_and_what_is_gone_makes_room_first() -> None:
    book = ContactBook("a")
    book.say(word("sip:bound@h"), NOW_MS)
    for number in range(MOST_CONTACTS):
        book.say(word(f"sip:{number}@h", gone=True), NOW_MS + number + 1)
    known = book.words("anna", NOW_MS + 100)
    assert len(known) == MOST_CONTACTS and known[0].contact == "sip:bound@h"
    assert "sip:0@h" not in [one.contact for one in known]
    assert len(book.unsaid(1000)) == MOST_CONTACTS


_WORDS = st.lists(
    st.builds(
        word,
        st.sampled_from(["sip:x@h", "sip:y@h"]),
        st.integers(1, 3),
        at_ms=st.integers(NOW_MS, NOW_MS + 9),
        call_id=st.sampled_from(["c1", "c2"]),
        gone=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: (one.contact, one.at_ms),
)


@settings(deadline=None)
@given(said=_WORDS, places=st.lists(st.booleans(), min_size=12, max_size=12))
def test_nodes_agree_whatever_each_has_heard_on_its_own(said: list[PhoneWord], places: list[bool]) -> None:
    """Also with numbers that contradict the clocks: what the shared state has taken is what all come to say."""

    async def scenario(world: World) -> None:
        for one, is_here in zip(said, places, strict=False):
            (world.a if is_here else world.b).phones.book.merge([one], NOW_MS)
        for member in (world.a, world.b):
            member.phones.book.doubt()
        await world.turns(*(world.a, world.b) * 4)
        known = [member.phones.book.words("anna", world.now_ms) for member in (world.a, world.b)]
        assert known[0] == known[1]

    played(scenario)
