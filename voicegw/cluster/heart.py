"""The beat of a node: it says that it lives, keeps what it has written down, and ends the calls of the dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import Entry
from voicegw.cluster.bans import SharedBans
from voicegw.cluster.contact import Contact
from voicegw.cluster.counters import ClusterCounter
from voicegw.cluster.leases import Leases
from voicegw.cluster.lines import SharedLines
from voicegw.cluster.messages import CallsLost, encode
from voicegw.cluster.phones import SharedPhones
from voicegw.cluster.roll import Roll
from voicegw.cluster.tasks import Tasks
from voicegw.ports.cluster import Beaten, NodeInfo, Now, Owner, Roster, SharedCall, SharedState

log = logging.getLogger(__name__)

CLAIM_S: Final = 15.0
"""To end the calls of a dead node; then the next one tries."""
_REWRITES: Final = 3
"""At one beat; each may take as long as Redis does."""
NAMESAKE_EVERY_S: Final = 60.0
REGISTRY_EVERY: Final = 4
"""Beats between two looks at the calls of all nodes."""

EndLost: TypeAlias = Callable[[Owner, Sequence[SharedCall]], Awaitable[tuple[tuple[CallId, Entry], ...]]]
"""Writes down that these calls are over, as often as it is asked to, and returns the last fact of each."""

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Heart:
    """Beats every ``beat_s`` until it is cancelled. What may take longer than a node may be silent goes on beside
    it: stores that do not answer, and thousands of phones."""

    def __init__(
        self,
        shared: SharedState,
        owner: Owner,
        describe: Callable[[], NodeInfo],
        end_lost: EndLost,
        *,
        roll: Roll,
        lines: SharedLines,
        leases: Leases,
        bans: SharedBans,
        phones: SharedPhones,
        now: Now,
        counters: Counters,
        tasks: Tasks,
        beat_s: float,
        ttl_s: float,
    ) -> None:
        self._shared = shared
        self._owner = owner
        self._describe = describe
        self._end_lost = end_lost
        self._roll = roll
        self._lines = lines
        self._leases = leases
        self._bans = bans
        self._phones = phones
        self._now = now
        self._counters = counters
        self._tasks = tasks
        self._beside: set[tuple[str, Owner | None]] = set()
        self._failing: set[str] = set()
        self._beat_s = beat_s
        self._ttl_s = ttl_s
        self._contact = Contact(ttl_s)
        self._was_known = False
        self._tell_again_at = float("-inf")
        self._beats = 0
        self._beat_at = now()
        self.roster = Roster((), ())
        self.registry: Mapping[CallId, Owner] = {}
        self.on_contact: Callable[[bool], None] = lambda _holds: None
        self.on_roster: Callable[[], None] = lambda: None
        """Told at every beat that it has been asked who is there."""
        self.on_registry: Callable[[Mapping[CallId, Owner]], None] = lambda _registry: None
        """Told of the calls of all nodes, every so many beats."""

    @property
    def has_contact(self) -> bool:
        """Whether the state is being shared."""
        return self._contact.holds

    def use(self, beat_s: float, ttl_s: float) -> None:
        """Other times from the next beat on."""
        self._beat_s, self._ttl_s = beat_s, ttl_s
        self._contact.settle_s = ttl_s

    async def run(self) -> None:
        """Beat for ever, on absolute deadlines."""
        due = self._now()
        while True:
            beat_s = self._beat_s  # that which goes with the time that this beat is good for
            await self.beat()
            due = max(due + beat_s, self._now())
            await asyncio.sleep(due - self._now())

    async def beat(self) -> None:
        """Once. What cannot be done now is done at the next beat."""
        before, self._beat_at = self._beat_at, self._now()
        if self._beat_at - before > self._ttl_s:
            self._contact.stood_still(self._beat_at)
        try:
            await self._live()
            await self._leases.turn()
            await self._bans.turn()
            self._go_on("phones", self._phones.turn)
            if self._contact.may_fence(self._now()):
                for owner in self.roster.lost:
                    self._go_on("burial", partial(self._bury, owner), owner)
            if self._beats % REGISTRY_EVERY == 0:
                await self._look_at_registry()
            self._beats += 1
        except ProviderError as error:
            self._leases.look()
            if self._contact.failed():
                self._lines.is_reachable = False
                self._counters.add(ClusterCounter.CONTACT_LOST)
                log.error("the other nodes cannot be reached, calls go on: %s", error)
                self.on_contact(False)

    async def _live(self) -> None:
        beaten = await self._shared.beat(self._describe(), self._ttl_s)
        is_known = beaten is Beaten.KNOWN
        if not is_known and self._was_known and self._contact.holds:
            self._counters.add(ClusterCounter.FENCED)
            self._tell_of_fence(beaten)
        if not self._contact.holds or not is_known:
            self._lines.is_reachable = True  # what is taken from now on is written as it is taken
            self._lines.is_unsure = True
            self._phones.doubt()
        if self._lines.is_unsure:
            await self._rewrite()
        self.roster = await self._shared.roster()
        self.on_roster()
        self._was_known = True
        if self._contact.succeeded(self._now()):
            log.info("in contact with the other nodes", extra={"nodes": len(self.roster.nodes)})
            self.on_contact(True)

    def _tell_of_fence(self, beaten: Beaten) -> None:
        """Of a namesake once a minute: the two replace each other at every beat."""
        if beaten is not Beaten.REPLACED:
            log.warning("other nodes took this one for dead; what it has is written anew")
        elif self._now() >= self._tell_again_at:
            self._tell_again_at = self._now() + NAMESAKE_EVERY_S
            log.error(
                "another node calls itself %r as well: each takes the other for dead, and its calls for ended\n"
                "    fix: give each node a cluster.node of its own",
                self._owner.name,
            )

    async def _rewrite(self) -> None:
        """Until nothing has changed on the way: what was taken or freed meanwhile would be undone else. Where that
        does not come to an end, the next beat goes on with it. What is new of calls waits."""
        async with self._roll.writing:
            for _ in range(_REWRITES):
                self._lines.is_unsure, held = True, dict(self._lines.held)
                await self._shared.rewrite(self._owner, self._roll.calls, held)
                if held == self._lines.held:
                    self._lines.is_unsure = False
                    return

    def _go_on(self, what: str, work: Work, whose: Owner | None = None) -> None:
        """Beside the beats, unless it does so still."""
        if (what, whose) not in self._beside:
            self._beside.add((what, whose))
            self._tasks.begin(self._do(what, work, whose), what)

    async def _do(self, what: str, work: Work, whose: Owner | None) -> None:
        try:
            await work()
            self._failing.discard(what)
        except ProviderError as error:  # a beat begins it anew
            if what not in self._failing:
                log.warning("not done yet, %s: %s", what, error)
            self._failing.add(what)
        finally:
            self._beside.discard((what, whose))

    async def _bury(self, owner: Owner) -> None:
        calls = await self._shared.claim_lost(self._owner, owner, CLAIM_S)
        if calls is None:
            return
        ended = await self._end_lost(owner, calls)
        news = encode(CallsLost(str(self._owner), str(owner), ended))
        if await self._shared.settle_lost(self._owner, owner, [news]):
            self._counters.add(ClusterCounter.NODES_LOST)
            self._counters.add(ClusterCounter.CALLS_LOST, len(calls))
            log.warning("a node is lost", extra={"node": owner.name, "calls": len(calls)})

    async def _look_at_registry(self) -> None:
        found = await self._shared.calls()
        self.registry = {call.call_id: owner for owner, calls in found.items() for call in calls}
        if self._contact.may_fence(self._now()):  # before that, not all nodes may have written theirs
            self.on_registry(self.registry)
