"""The shared state of nodes in one process: of the only one there is, or of several in a test."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from voicegw.base.ids import CallId
from voicegw.ports.cluster import (
    MOST_CONTACTS,
    MOST_NOTICES,
    MOST_PHONES,
    READ_AT_MOST,
    Beaten,
    Delivered,
    Line,
    NodeInfo,
    Notice,
    Notices,
    Now,
    Owner,
    PhonePage,
    PhoneVersion,
    PhoneWord,
    Positions,
    Roster,
    SharedCall,
    is_newer,
)

KEPT_EVENTS = 20_000


@dataclass(slots=True)
class _Lease:
    owner: Owner
    token: int
    ends: float


@dataclass(slots=True)
class _Claim:
    by: Owner
    ends: float


@dataclass(slots=True)
class MemoryHouse:
    """What :class:`MemoryShared` of several nodes have in common. ``now`` decides when signs of life run out."""

    now: Now
    kept: int = KEPT_EVENTS
    known: dict[str, str] = field(default_factory=dict)
    alive: dict[str, tuple[NodeInfo, float]] = field(default_factory=dict)
    replaced: set[Owner] = field(default_factory=set)
    calls: dict[Owner, dict[CallId, SharedCall]] = field(default_factory=dict)
    lost: dict[Owner, tuple[SharedCall, ...]] = field(default_factory=dict)
    claims: dict[Owner, _Claim] = field(default_factory=dict)
    lines: dict[str, set[tuple[Owner, str]]] = field(default_factory=dict)
    leases: dict[str, _Lease] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    notices_version: int = 0
    phones: dict[str, dict[str, PhoneWord]] = field(default_factory=dict)
    phone_changes: dict[str, int] = field(default_factory=dict)
    phones_number: int = 0
    phones_epoch: int = 0
    token: int = 0
    number: int = 0
    told: deque[tuple[int, bytes]] = field(default_factory=deque)
    sent: dict[Owner, deque[tuple[int, bytes]]] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def is_alive(self, owner: Owner) -> bool:
        """Whether this very run was heard of lately."""
        info, ends = self.alive.get(owner.name, (None, 0.0))
        return info is not None and info.mark == owner.mark and self.now() < ends


class MemoryShared:
    """A :class:`~voicegw.ports.cluster.SharedState` without a server."""

    def __init__(self, house: MemoryHouse) -> None:
        self._house = house

    async def beat(self, info: NodeInfo, ttl_s: float) -> Beaten:
        """See the protocol."""
        house, before = self._house, self._house.known.get(info.name)
        house.alive[info.name] = (info, house.now() + ttl_s)
        if before == info.mark:
            return Beaten.KNOWN
        if before is not None:
            house.replaced.add(Owner(info.name, before))
        house.known[info.name] = info.mark
        return Beaten.NEW if before is None else Beaten.REPLACED

    async def roster(self) -> Roster:
        """See the protocol."""
        house = self._house
        known = [Owner(name, mark) for name, mark in sorted(house.known.items())]
        alive = tuple(house.alive[owner.name][0] for owner in known if house.is_alive(owner))
        silent = {owner for owner in known if not house.is_alive(owner)}
        return Roster(alive, tuple(sorted(silent | house.replaced | house.lost.keys())))

    async def leave(self, owner: Owner) -> None:
        """See the protocol."""
        house = self._house
        self._free_all(owner)
        house.calls.pop(owner, None)
        house.sent.pop(owner, None)
        if house.known.get(owner.name) == owner.mark:
            del house.known[owner.name]
            house.alive.pop(owner.name, None)

    # ------------------------------------------------------------ calls and lines

    async def put_calls(self, owner: Owner, calls: Sequence[SharedCall]) -> None:
        """See the protocol."""
        self._house.calls.setdefault(owner, {}).update((call.call_id, call) for call in calls)

    async def drop_calls(self, owner: Owner, call_ids: Sequence[CallId]) -> None:
        """See the protocol."""
        for call_id in call_ids:
            self._house.calls.get(owner, {}).pop(call_id, None)

    async def rewrite(self, owner: Owner, calls: Sequence[SharedCall], lines: Mapping[str, Sequence[str]]) -> None:
        """See the protocol."""
        self._house.calls[owner] = {call.call_id: call for call in calls}
        self._free_all(owner)
        for holder, names in lines.items():
            for name in names:
                self._house.lines.setdefault(name, set()).add((owner, holder))

    async def calls(self) -> Mapping[Owner, Sequence[SharedCall]]:
        """See the protocol."""
        nodes = (await self.roster()).nodes
        return {info.owner: tuple(self._house.calls.get(info.owner, {}).values()) for info in nodes}

    async def take_lines(self, owner: Owner, holder: str, lines: Sequence[Line]) -> str:
        """See the protocol."""
        mine = (owner, holder)
        for line in lines:
            holders = self._house.lines.setdefault(line.name, set())
            if mine not in holders and len(holders) >= line.limit:
                holders -= {one for one in holders if not self._is_known(one[0])}
                if len(holders) >= line.limit:
                    return line.name
        await self.free_lines(owner, holder)
        for line in lines:
            self._house.lines[line.name].add(mine)
        return ""

    def _is_known(self, owner: Owner) -> bool:
        """Where nobody has told of a node, lines are those of this one alone."""
        return not self._house.known or self._house.known.get(owner.name) == owner.mark

    async def free_lines(self, owner: Owner, holder: str) -> None:
        """See the protocol."""
        for holders in self._house.lines.values():
            holders.discard((owner, holder))

    def _free_all(self, owner: Owner) -> None:
        for name, holders in self._house.lines.items():
            self._house.lines[name] = {one for one in holders if one[0] != owner}

    # ------------------------------------------------------------ the lost

    async def claim_lost(self, by: Owner, owner: Owner, claim_s: float) -> tuple[SharedCall, ...] | None:
        """See the protocol."""
        house = self._house
        if owner not in house.lost and not self._fence(owner):
            return None
        claim = house.claims.get(owner)
        if claim is not None and claim.by != by and house.now() < claim.ends:
            return None
        house.claims[owner] = _Claim(by, house.now() + claim_s)
        return house.lost[owner]

    def _fence(self, owner: Owner) -> bool:
        house = self._house
        is_known = house.known.get(owner.name) == owner.mark
        if house.is_alive(owner) or not (is_known or owner in house.replaced):
            return False
        if is_known:
            del house.known[owner.name]
            house.alive.pop(owner.name, None)
        house.replaced.discard(owner)
        house.sent.pop(owner, None)
        self._free_all(owner)
        house.lost[owner] = tuple(house.calls.pop(owner, {}).values())
        return True

    async def settle_lost(self, by: Owner, owner: Owner, news: Sequence[bytes]) -> bool:
        """See the protocol."""
        claim = self._house.claims.get(owner)
        if claim is None or claim.by != by or self._house.now() >= claim.ends:
            return False
        del self._house.claims[owner], self._house.lost[owner]
        await self.tell(news)
        return True

    # ------------------------------------------------------------ leases

    async def take_lease(self, name: str, owner: Owner, ttl_s: float) -> int:
        """See the protocol."""
        house, lease = self._house, self._house.leases.get(name)
        if lease is not None and house.now() < lease.ends and lease.owner != owner:
            return 0
        if lease is None or house.now() >= lease.ends:
            house.token += 1
            lease = house.leases[name] = _Lease(owner, house.token, 0.0)
        lease.ends = house.now() + ttl_s
        return lease.token

    async def keep_lease(self, name: str, owner: Owner, token: int, ttl_s: float) -> bool:
        """See the protocol."""
        lease = self._house.leases.get(name)
        if lease is None or (lease.owner, lease.token) != (owner, token) or self._house.now() >= lease.ends:
            return False
        lease.ends = self._house.now() + ttl_s
        return True

    async def give_lease(self, name: str, owner: Owner, token: int) -> None:
        """See the protocol."""
        lease = self._house.leases.get(name)
        if lease is not None and (lease.owner, lease.token) == (owner, token):
            del self._house.leases[name]

    # ------------------------------------------------------------ bans

    async def put_notices(self, notices: Sequence[Notice]) -> None:
        """See the protocol. There is no clock to say what is over: who reads leaves it out."""
        known = self._house.notices
        for notice in notices:
            before = known.get(notice.host)
            if before.at < notice.at if before else len(known) < MOST_NOTICES:
                known[notice.host] = notice
                self._house.notices_version += 1

    async def notices(self, since: str | None) -> Notices:
        """See the protocol."""
        version = str(self._house.notices_version)
        return Notices(version, None if version == since else tuple(self._house.notices.values()))

    # ------------------------------------------------------------ phones

    async def put_phones(self, words: Sequence[PhoneWord]) -> None:
        """See the protocol. There is no clock to say what is over: who reads leaves it out."""
        house = self._house
        for word in words:
            if word.phone not in house.phones and len(house.phones) >= MOST_PHONES:
                continue
            known = house.phones.get(word.phone, {})
            before = known.get(word.key)
            if before is not None and not is_newer(word, before):
                continue
            words_now = sorted({**known, word.key: word}.values(), key=lambda one: (not one.gone, one.at_ms))
            house.phones.pop(word.phone, None)  # the latest change stands at the end
            house.phones[word.phone] = {one.key: one for one in words_now[-MOST_CONTACTS:]}
            house.phones_number += 1
            house.phone_changes[word.phone] = house.phones_number

    async def phone_version(self) -> PhoneVersion:
        """See the protocol."""
        return PhoneVersion(str(house.phones_epoch) if (house := self._house).phones else "", house.phones_number)

    async def phones(self, since: int, most: int) -> PhonePage:
        """See the protocol."""
        house = self._house
        changed = [phone for phone in house.phones if house.phone_changes[phone] > since][:most]
        words = tuple(word for phone in changed for word in house.phones[phone].values())
        return PhonePage(house.phone_changes[changed[-1]] if changed else 0, words)

    # ------------------------------------------------------------ messages

    async def tell(self, messages: Sequence[bytes]) -> None:
        """See the protocol."""
        for message in messages:
            self._house.number += 1
            self._house.told.append((self._house.number, message))
        while len(self._house.told) > self._house.kept:
            self._house.told.popleft()
        self._wake()

    def keep(self, messages: int) -> None:
        """See the protocol."""
        self._house.kept = messages

    async def send(self, owner: Owner, message: bytes) -> None:
        """See the protocol."""
        self._house.number += 1
        self._house.sent.setdefault(owner, deque(maxlen=self._house.kept)).append((self._house.number, message))
        self._wake()

    def _wake(self) -> None:
        self._house.news.set()
        self._house.news = asyncio.Event()

    async def read(self, owner: Owner, after: Positions, patience_s: float) -> Sequence[Delivered]:
        """See the protocol."""
        news = self._house.news
        if not (found := self._since(owner, after)):
            try:
                async with asyncio.timeout(patience_s):
                    await news.wait()
            except TimeoutError:
                return ()
            found = self._since(owner, after)
        return found

    def _since(self, owner: Owner, after: Positions) -> Sequence[Delivered]:
        all_, own = int(after.all), int(after.own)
        told = [Delivered(str(number), True, data) for number, data in self._house.told if number > all_]
        mine = self._house.sent.get(owner, ())
        sent = [Delivered(str(number), False, data) for number, data in mine if number > own]
        return told[:READ_AT_MOST] + sent

    async def close(self) -> None:
        """See the protocol: there is nothing to let go of."""
