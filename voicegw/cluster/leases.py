"""All leases that a node wants, looked after at every beat."""

from __future__ import annotations

from collections.abc import Callable, Collection

from voicegw.base.metrics import Counters
from voicegw.cluster.counters import ClusterCounter
from voicegw.cluster.lease import Ask, Lease
from voicegw.ports.cluster import Hold, Now, Owner, SharedState


class Leases:
    """``on_change`` is told of every lease whose hold is another than before."""

    def __init__(
        self,
        shared: SharedState,
        owner: Owner,
        now: Now,
        ttl_s: float,
        counters: Counters,
        on_change: Callable[[str, Hold], None] = lambda _name, _hold: None,
    ) -> None:
        self._shared = shared
        self._owner = owner
        self._now = now
        self.ttl_s = ttl_s
        """Of what is asked for from now on; may be changed."""
        self._counters = counters
        self.on_change = on_change
        self._leases: dict[str, Lease] = {}
        self._told: dict[str, Hold] = {}
        self._returned: list[tuple[str, int]] = []

    @property
    def held(self) -> int:
        """How many are ours."""
        return sum(lease.hold(self._now()) is Hold.HELD for lease in self._leases.values())

    def hold(self, name: str) -> Hold:
        """What this node may do with what it is for."""
        lease = self._leases.get(name)
        return Hold.NONE if lease is None else lease.hold(self._now())

    def want(self, names: Collection[str]) -> None:
        """Exactly these from now on; others are given back."""
        for name in [name for name in self._leases if name not in names]:
            if token := self._leases.pop(name).given_up():
                self._returned.append((name, token))
            self._tell(name, Hold.NONE)
            self._told.pop(name, None)
        for name in names:
            self._leases.setdefault(name, Lease(self.ttl_s))

    async def turn(self) -> None:
        """Give back, keep and take; raises ProviderError where nobody can be asked."""
        while self._returned:  # more may be added meanwhile
            await self._shared.give_lease(self._returned[0][0], self._owner, self._returned[0][1])
            del self._returned[0]
        for name, lease in list(self._leases.items()):
            asked_at, ttl_s = self._now(), self.ttl_s
            lease.ttl_s = ttl_s  # what is asked is what is counted, whatever it is by the time of the answer
            if lease.next_question() is Ask.KEEP:
                kept = await self._shared.keep_lease(name, self._owner, lease.token, ttl_s)
                lease.kept(kept, asked_at)
            if lease.next_question() is Ask.TAKE:
                lease.taken(await self._shared.take_lease(name, self._owner, ttl_s), asked_at)
        self.look()

    def look(self) -> None:
        """Tell what time alone has changed."""
        for name, lease in list(self._leases.items()):
            self._tell(name, lease.hold(self._now()))

    def _tell(self, name: str, hold: Hold) -> None:
        before = self._told.get(name, Hold.NONE)
        if hold is before:
            return
        self._told[name] = hold
        self._counters.add(ClusterCounter.LEASES_TAKEN if hold is Hold.HELD else ClusterCounter.LEASES_LOST)
        self.on_change(name, hold)
