"""Where phones are, as far as any node has heard: each of them can call a phone that registered at another one.

Of every contact of a phone the newest word counts, bound or gone, whoever said it and in whatever order words
arrive. So a word that comes twice changes nothing, what was said while nobody could be asked is told later, and a
state that has forgotten everything is told again by whoever remembers. What is gone is remembered for as long as
anybody could still take it for bound.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

import msgspec

from voicegw.base.errors import ProviderError
from voicegw.ports.cluster import (
    CLOCKS_MS,
    MOST_CONTACTS,
    MOST_PHONES,
    Now,
    PhoneVersion,
    PhoneWord,
    SharedState,
    is_newer,
)

_AT_ONCE: Final = 100
"""Phones of one answer, words of one message: some 4 ms, and calls are looked after in between."""
_TIDY_MS: Final = 60_000
_NEVER: Final = PhoneVersion("", 0)


class ContactBook:
    """What one node knows of contacts. Pure; all times are milliseconds of the wall clock."""

    def __init__(self, by: str) -> None:
        self._by = by
        self._phones: dict[str, dict[str, PhoneWord]] = {}
        self._unsaid: dict[tuple[str, str], PhoneWord] = {}

    def __len__(self) -> int:
        return len(self._phones)

    def heard_by(self, nodes: Collection[str]) -> list[str]:
        """Phones on which one of these nodes has said something that counts."""
        return [name for name, known in self._phones.items() if any(word.by in nodes for word in known.values())]

    def words(self, phone: str, now_ms: int) -> list[PhoneWord]:
        """All that is in force on a phone, the oldest first."""
        known = self._phones.get(phone, {}).values()
        return sorted((one for one in known if one.until_ms > now_ms), key=lambda one: (one.at_ms, one.by, one.key))

    def say(self, word: PhoneWord, now_ms: int) -> None:
        """This node has learned it from the phone: it is newer than anything known of that one."""
        of_phone = self._phones.get(word.phone, {})
        known = of_phone.get(word.key)
        at_ms = max([now_ms, *(one.at_ms + 1 for one in of_phone.values())])
        word = msgspec.structs.replace(word, at_ms=at_ms, by=self._by)
        if known is not None and not is_newer(word, known):  # it numbers anew: the clock alone has to tell
            word = msgspec.structs.replace(word, at_ms=known.at_ms + CLOCKS_MS + 1)
        if self._keep(word):
            self._unsaid[(word.phone, word.key)] = word

    def merge(self, theirs: Iterable[PhoneWord], now_ms: int) -> list[str]:
        """What the nodes share, of some phones; returns the phones on which that is news here."""
        news: dict[str, None] = {}
        for word in theirs:
            known = self._phones.get(word.phone, {}).get(word.key)
            if known == word:
                self._unsaid.pop((word.phone, word.key), None)
            elif word.until_ms > now_ms and (known is None or is_newer(word, known)) and self._keep(word):
                self._unsaid.pop((word.phone, word.key), None)
                news[word.phone] = None
        return list(news)

    def doubt(self) -> None:
        """Nobody knows what the others have been told."""
        self._unsaid = {(word.phone, key): word for known in self._phones.values() for key, word in known.items()}

    def tidy(self, now_ms: int) -> None:
        """What is over is forgotten."""
        for phone, known in list(self._phones.items()):
            alive = {key: word for key, word in known.items() if word.until_ms > now_ms}
            if alive:
                self._phones[phone] = alive
            else:
                del self._phones[phone]
        self._unsaid = {name: word for name, word in self._unsaid.items() if word.until_ms > now_ms}

    def unsaid(self, most: int) -> list[PhoneWord]:
        """What the others have not been told yet, so many words of it."""
        return [word for word, _ in zip(self._unsaid.values(), range(most), strict=False)]

    def said(self, words: Sequence[PhoneWord]) -> None:
        """They have been told these."""
        for word in words:
            if self._unsaid.get((word.phone, word.key)) == word:
                del self._unsaid[(word.phone, word.key)]

    def _keep(self, word: PhoneWord) -> bool:
        """Where there are too many words on a phone, the oldest of what is gone makes room, else the oldest."""
        if word.phone not in self._phones and len(self._phones) >= MOST_PHONES:
            return False
        known = self._phones.setdefault(word.phone, {})
        known[word.key] = word
        if len(known) > MOST_CONTACTS:
            least = min(known.values(), key=lambda one: (not one.gone, one.at_ms))
            del known[least.key]
            self._unsaid.pop((least.phone, least.key), None)
        return word.key in known


class SharedPhones:
    """The book of a node, brought to the same state as that of the others at every beat. ``wall``: the clock."""

    def __init__(self, shared: SharedState, name: str, wall: Now) -> None:
        self.name = name
        self.book = ContactBook(name)
        self._shared = shared
        self._wall = wall
        self._version = _NEVER
        self._is_sure = False
        """Whether everything up to the version was read, and what was not in it was told."""
        self._tidy_at_ms = 0
        self.on_news: Callable[[Sequence[str]], None] = lambda _phones: None
        """Told of phones of which others have said something."""

    @property
    def now_ms(self) -> int:
        """The time as words have it."""
        return round(self._wall() * 1000)

    def doubt(self) -> None:
        """What is shared may be older than what was read of it: all is read and told again."""
        self._is_sure = False

    async def turn(self) -> None:
        """Hear and tell; raises ProviderError where nobody can be asked."""
        if self.now_ms >= self._tidy_at_ms:
            self.book.tidy(self.now_ms)
            self._tidy_at_ms = self.now_ms + _TIDY_MS
        try:
            await self._hear()
            await self.tell()
        except ProviderError:
            self._is_sure = False
            raise

    async def tell(self) -> None:
        """What the others have not been told; raises ProviderError."""
        while unsaid := self.book.unsaid(_AT_ONCE):
            await self._shared.put_phones(unsaid)
            self.book.said(unsaid)

    async def _hear(self) -> None:
        version = await self._shared.phone_version()
        if not self._is_sure or version.epoch != self._version.epoch or version.number < self._version.number:
            self._version = PhoneVersion(version.epoch, 0)
            self.book.doubt()
            self._is_sure = True
        while version.number > self._version.number:
            page = await self._shared.phones(self._version.number, _AT_ONCE)
            if news := self.book.merge(page.words, self.now_ms):
                self.on_news(news)
            self._version = PhoneVersion(version.epoch, page.number or version.number)
