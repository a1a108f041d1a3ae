"""Sources that all nodes ignore because one of them does, and that all hear again because somebody said so at one.

Of every host the newest word counts, a ban or its end, whoever gave it and in whatever order it arrives. So a word
that comes twice changes nothing, what was said while nobody could be asked is told later, and a state that has
forgotten everything is told again by whoever remembers.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from voicegw.ports.cluster import MOST_NOTICES, Notice, Now, SharedState

LONGEST_S: Final = 30 * 86_400.0
"""No ban is believed to last longer, counted from the word itself: repeated, it ends when it would have ended."""
CLOCKS_S: Final = 2.0
"""So far may the clocks of two nodes be apart. A word from a later future would overrule all others until then."""
_LATER_S: Final = 0.001


class BanBook:
    """What one node knows of banned sources. Pure; all times are seconds of the wall clock."""

    def __init__(self, by: str) -> None:
        self._by = by
        self._notices: dict[str, Notice] = {}
        self._unsaid: set[str] = set()
        self.ripe_at = math.inf
        """When the first word will be believed that came from too far ahead, and is to be looked at again."""

    def ban(self, host: str, reason: str, until: float, now: float) -> None:
        """This node ignores a host."""
        self._say(Notice(host, reason, self._newest(host, now), min(until, now + LONGEST_S), self._by))

    def lift(self, host: str, now: float) -> bool:
        """Somebody says here that it be heard again; False where nobody ignores it."""
        known = self._notices.get(host)
        if known is None or known.lifted or known.until <= now:
            return False
        self._say(msgspec.structs.replace(known, at=self._newest(host, now), by=self._by, lifted=True))
        return True

    def merge(self, theirs: Sequence[Notice], now: float) -> list[Notice]:
        """All that the nodes share. What is news here; what is news there is :meth:`unsaid` from now on."""
        self._notices = {host: known for host, known in self._notices.items() if known.until > now}
        self.ripe_at = min((one.at - CLOCKS_S for one in theirs if one.at > now + CLOCKS_S), default=math.inf)
        shared: dict[str, float] = {}
        news: list[Notice] = []
        for one in theirs:
            known = self._notices.get(one.host)
            notice = one if one == known else believed(one, now)  # ten thousand take long to be looked at anew
            if notice is None:
                continue
            shared[notice.host] = notice.at
            if known.at < notice.at if known else len(self._notices) < MOST_NOTICES:
                self._notices[notice.host] = notice
                news.append(notice)
        self._unsaid = {host for host, known in self._notices.items() if shared.get(host, -1.0) < known.at}
        return news

    def unsaid(self) -> list[Notice]:
        """What the others have not been told yet."""
        return [self._notices[host] for host in sorted(self._unsaid) if host in self._notices]

    def said(self, notices: Sequence[Notice]) -> None:
        """They have been told these."""
        self._unsaid -= {notice.host for notice in notices if self._notices.get(notice.host) == notice}

    def _say(self, notice: Notice) -> None:
        if len(self._notices) >= MOST_NOTICES:
            self._notices = {host: known for host, known in self._notices.items() if known.until > notice.at}
        if notice.host in self._notices or len(self._notices) < MOST_NOTICES:
            self._notices[notice.host] = notice
            self._unsaid.add(notice.host)

    def _newest(self, host: str, now: float) -> float:
        """Later than what is known, also of a node whose clock is ahead of ours."""
        known = self._notices.get(host)
        return now if known is None else max(now, known.at + _LATER_S)


def believed(notice: Notice, now: float) -> Notice | None:
    """As much of it as this node believes; None: nothing."""
    try:
        ipaddress.ip_address(notice.host)
    except ValueError:
        return None
    if not math.isfinite(notice.until) or not 0 <= notice.at <= now + CLOCKS_S:
        return None
    until = min(notice.until, notice.at + LONGEST_S)
    return None if until <= now else msgspec.structs.replace(notice, until=until)


class SharedBans:
    """The book of a node, brought to the same state as that of the others at every beat. ``wall``: the clock."""

    def __init__(self, shared: SharedState, name: str, wall: Now) -> None:
        self._shared = shared
        self._book = BanBook(name)
        self._wall = wall
        self._version: str | None = None
        self.is_shared = True
        self.on_news: Callable[[Notice], None] = lambda _notice: None
        """Told of what others have said."""

    def share(self, wished: bool) -> None:
        """Whether anything is told and heard, from the next turn on. What this node says meanwhile is told when it
        shares again, where it is still the newest word."""
        self.is_shared, self._version = wished, None

    def ban(self, host: str, reason: str, until: float) -> None:
        """This node ignores a host until then; the others do so within a beat of each."""
        self._book.ban(host, reason, until, self._wall())

    def lift(self, host: str) -> bool:
        """All nodes are to hear it again; False where none ignores it."""
        return self._book.lift(host, self._wall())

    async def turn(self) -> None:
        """Tell and hear; raises ProviderError where nobody can be asked."""
        if not self.is_shared:
            return
        if unsaid := self._book.unsaid():
            await self._shared.put_notices(unsaid)
            self._book.said(unsaid)
        is_ripe = self._wall() >= self._book.ripe_at
        version, found = await self._shared.notices(None if is_ripe else self._version)
        if found is not None:
            for notice in self._book.merge(found, self._wall()):
                self.on_news(notice)
        self._version = version
