"""Phones of all nodes: who registers through a balancer at one of them is called by each (RFC 3327).

Only such phones: a way that begins at a balancer is open to every node, that of a phone which registered directly
only to the node that it registered at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from voicegw.base.clock import Clock
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.metrics import Counters
from voicegw.cluster.counters import ClusterCounter
from voicegw.cluster.phones import SharedPhones
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.registrar import PhoneKeeper
from voicegw.ports.cluster import PhoneWord
from voicegw.sip.address import Address, Transport, is_literal, is_sendable
from voicegw.sip.bindings import MAX_CONTACT, Binding
from voicegw.sip.path import read_path
from voicegw.sip.registrar import Registered
from voicegw.sip.uri import SipUri

_WATCHED_AT_ONCE: Final = 100
_TRANSPORTS: Final = {one.value: one for one in Transport}


class PhonesTogether:
    """Joins the phones of a node and what all nodes know, from its making on; lives in the runtime's loop.

    ``alive``: names of the nodes that are there.
    """

    def __init__(
        self,
        book: PhoneBook,
        keeper: PhoneKeeper,
        phones: SharedPhones,
        clock: Clock,
        counters: Counters,
        alive: Callable[[], frozenset[str]],
    ) -> None:
        self._book = book
        self._keeper = keeper
        self._phones = phones
        self._clock = clock
        self._counters = counters
        self._alive = alive
        self._known_alive = alive()
        self._to_watch: dict[str, None] = {}
        book.sharing = self
        keeper.is_ours_to_ping = self._is_ours_to_ping
        phones.on_news = self.heard

    # ------------------------------------------------------------ what this node finds out

    def followed(self, name: str, done: Registered) -> None:
        """A REGISTER was answered with 200: what it bound, and what it took back."""
        for one in done.ended:
            if one.path or any(not word.gone for word in self._same(name, one)):
                self._end(name, one)
        for one in done.after:
            if one in done.before:
                continue
            if one.path and not one.source.flow:
                self._say(name, one)
            elif any(not word.gone for word in self._same(name, one)):
                self._end(name, one)  # it is here now, by a way that no other node has
        self._keeper.watch(name)  # from now on this node is the one that asks whether it is there

    def dropped(self, name: str, binding: Binding) -> None:
        """A device is gone without a word."""
        if binding.path:
            self._end(name, binding)

    def removed(self, name: str) -> None:
        """The account ended, or its password: each node finds that out, and takes back what it has said itself. One
        that is late would take back what the phone has done with its new password."""
        for word in self._words(name):
            if not word.gone and self._speaks_for(word):
                self._end(name, self._binding(word))

    def reset(self, names: Iterable[str]) -> None:
        """What the store or the accounts say of bindings is older than what nodes have said."""
        for name in names:
            self._put_in_force(name)

    # ------------------------------------------------------------ what others say

    def heard(self, names: Sequence[str]) -> None:
        """There are words on these phones."""
        self._counters.add(ClusterCounter.PHONES_HEARD, len(names))
        for name in names:
            self._put_in_force(name)

    def look_around(self) -> None:
        """Who is there has been asked: phones of a node that is gone are looked after by another one. Told at every
        beat, it takes up so many at once."""
        alive = self._alive()
        if alive != self._known_alive:
            changed, self._known_alive = alive ^ self._known_alive, alive
            self._to_watch |= dict.fromkeys(self._phones.book.heard_by(changed))
        for name in list(self._to_watch)[:_WATCHED_AT_ONCE]:
            del self._to_watch[name]
            self._keeper.watch(name)

    # ------------------------------------------------------------ inside

    def _put_in_force(self, name: str) -> None:
        now, limits = self._clock.monotonic(), self._book.registrar.limits
        said = [word for word in self._words(name) if believed(word, self._book.is_balancer)]
        if not said:
            return
        shared: list[Binding] = []
        for word in said:
            one = self._binding(word)
            shared = [other for other in shared if not other.is_same_contact(one)]
            if not word.gone and one.expires_at > now:
                shared.append(one)
        bound = self._book.registrar.bindings(name, now)
        stays = [
            one
            for one in bound
            if not any(one.is_same_contact(other) for other in shared)
            and not (one.path and any(one.is_same_contact(self._binding(word)) for word in said))
        ]
        if not bound and len(self._book.registrar) >= limits.bindings:
            return
        together = sorted((*stays, *shared), key=lambda one: -one.expires_at)[: limits.contacts]
        self._keeper.adopt(name, tuple(together))

    def _say(self, name: str, binding: Binding) -> None:
        for word in self._same(name, binding):
            if not word.gone and word.key != self._word(name, binding).key:
                self._end(name, self._binding(word))
        self._phones.book.say(self._word(name, binding), self._phones.now_ms)

    def _end(self, name: str, binding: Binding) -> None:
        """It is gone, for as long as anybody may take it for bound: as a node is cut off that was told so."""
        until_ms = self._phones.now_ms + self._book.registrar.limits.max_s * 1000
        gone = [self._word(name, binding, until_ms)]
        gone += [self._word(name, self._binding(word), until_ms) for word in self._same(name, binding)]
        for word in {word.key: word for word in reversed(gone)}.values():
            self._phones.book.say(word, self._phones.now_ms)

    def _words(self, name: str) -> list[PhoneWord]:
        words = self._phones.book.words(name, self._phones.now_ms)
        return [word for word in words if _is_contact(word.contact)]

    def _same(self, name: str, binding: Binding) -> list[PhoneWord]:
        return [word for word in self._words(name) if self._binding(word).is_same_contact(binding)]

    def _speaks_for(self, word: PhoneWord) -> bool:
        return word.by == self._phones.name or word.by not in self._alive()

    def _is_ours_to_ping(self, name: str, binding: Binding) -> bool:
        """Who heard the phone last asks it; while that node is away, the first of the others."""
        if not binding.path:
            return True
        words = [word for word in self._same(name, binding) if not word.gone]
        if not words or words[-1].by == self._phones.name:
            return True
        alive = self._alive()
        return words[-1].by not in alive and self._phones.name == min(alive, default=self._phones.name)

    @property
    def _skew(self) -> float:
        return self._clock.wall() - self._clock.monotonic()

    def _word(self, name: str, binding: Binding, gone_until_ms: int = 0) -> PhoneWord:
        source = binding.source
        return PhoneWord(
            phone=name,
            contact=binding.contact,
            at_ms=self._phones.now_ms,
            until_ms=gone_until_ms or round((binding.expires_at + self._skew) * 1000),
            by=self._phones.name,
            call_id=binding.call_id,
            cseq=binding.cseq,
            gone=gone_until_ms > 0,
            host=source.host,
            port=source.port,
            transport=source.transport.value,
            path=binding.path,
            q=binding.q,
            instance=binding.instance,
            reg_id=binding.reg_id,
            user_agent=binding.user_agent,
        )

    def _binding(self, word: PhoneWord) -> Binding:
        until_ms = min(word.until_ms, word.at_ms + self._book.registrar.limits.max_s * 1000)
        return Binding(
            word.contact,
            Address(word.host, word.port, _TRANSPORTS.get(word.transport, Transport.UDP)),
            until_ms / 1000 - self._skew,
            word.call_id,
            word.cseq,
            word.q,
            word.path,
            word.instance,
            word.reg_id,
            word.user_agent,
        )


def _is_contact(contact: str) -> bool:
    try:
        SipUri.parse(contact)
    except RemoteProtocolError:
        return False
    return True


def believed(word: PhoneWord, is_balancer: Callable[[str], bool]) -> bool:
    """Whether a word on a phone may be followed: calls to it go to a balancer of this node, and nowhere else."""
    if not _is_contact(word.contact):
        return False
    if word.gone:
        return True
    try:
        read_path(word.path)
    except RemoteProtocolError:
        return False
    place = Address(word.host, word.port, _TRANSPORTS.get(word.transport, Transport.UDP))
    is_there = is_literal(word.host) and is_sendable(place) and is_balancer(word.host)
    return bool(word.path) and is_there and word.transport in _TRANSPORTS and len(word.contact) <= MAX_CONTACT
