"""One node of a cluster: what it tells and hears, what it holds, and whom it knows. Lives in the runtime's loop."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from voicegw.base.clock import Clock
from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId, RandomBytes, token
from voicegw.base.metrics import Counters
from voicegw.cluster.bans import SharedBans
from voicegw.cluster.bus import Bus, BusListener
from voicegw.cluster.config import ClusterConfig
from voicegw.cluster.heart import EndLost, Heart
from voicegw.cluster.leases import Leases
from voicegw.cluster.lines import SharedLines
from voicegw.cluster.phones import SharedPhones
from voicegw.cluster.roll import Absent, Roll
from voicegw.cluster.tasks import Tasks
from voicegw.ports.cluster import NodeInfo, NodeState, Owner, Roster, SharedState

log = logging.getLogger(__name__)
_MARK: Final = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is found, and what it is."""

    name: str
    sip: str
    api: str
    version: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a node stands at this moment."""

    state: NodeState
    calls: int
    max_calls: int


class ClusterNode:
    """Joins at :meth:`start`, leaves at :meth:`close`."""

    def __init__(
        self,
        config: ClusterConfig,
        shared: SharedState,
        place: Place,
        standing: Callable[[], Standing],
        listener: BusListener,
        end_lost: EndLost,
        clock: Clock,
        counters: Counters,
        random: RandomBytes = os.urandom,
    ) -> None:
        self._shared = shared
        self._place = place
        self._standing = standing
        self._tasks = Tasks()
        self.owner = Owner(place.name, token(random, _MARK))
        self._started_at = datetime.fromtimestamp(clock.wall(), UTC).isoformat(timespec="seconds")
        self._roll = Roll()
        now, owner = clock.monotonic, self.owner
        self.lines = SharedLines(shared, owner, counters, self._tasks)
        self.leases = Leases(shared, owner, now, config.lease_ttl_ms / 1000, counters)
        self.bans = SharedBans(shared, place.name, clock.wall)
        self.phones = SharedPhones(shared, place.name, clock.wall)
        self.bus = Bus(shared, owner, listener, roll=self._roll, clock=clock, counters=counters, tasks=self._tasks)
        self.heart = Heart(
            shared,
            owner,
            self.describe,
            end_lost,
            roll=self._roll,
            lines=self.lines,
            leases=self.leases,
            bans=self.bans,
            phones=self.phones,
            now=now,
            counters=counters,
            tasks=self._tasks,
            beat_s=config.beat_ms / 1000,
            ttl_s=config.node_ttl_ms / 1000,
        )

        self._share(config)
        self.heart.on_registry = self._compare
        self._absent = Absent()
        self.on_registry: Callable[[Mapping[CallId, Owner]], None] = lambda _registry: None
        """Told of the calls of all nodes, every so often."""

    def use(self, config: ClusterConfig, place: Place) -> None:
        """Other times, other addresses of this node, and what is shared, from the next beat on; its name stays."""
        self._place = replace(place, name=self._place.name)
        self.leases.ttl_s = config.lease_ttl_ms / 1000
        self.heart.use(config.beat_ms / 1000, config.node_ttl_ms / 1000)
        self._share(config)

    def _share(self, config: ClusterConfig) -> None:
        self._shared.keep(config.events)
        self.bans.share(config.share_bans)

    def _compare(self, registry: Mapping[CallId, Owner]) -> None:
        for call_id in self._absent.look(self.bus.owners, registry):
            self.bus.owners.pop(call_id, None)
        self.on_registry(registry)

    def describe(self) -> NodeInfo:
        """This node as it tells of itself."""
        place, now = self._place, self._standing()
        return NodeInfo(
            place.name,
            self.owner.mark,
            now.state,
            now.calls,
            now.max_calls,
            round(now.calls / now.max_calls, 3) if now.max_calls else 0.0,
            place.version,
            place.sip,
            place.api,
            self._started_at,
        )

    @property
    def roster(self) -> Roster:
        """Who is there, as of the latest beat that was answered; any thread may ask."""
        return self.heart.roster

    def node_of(self, call_id: CallId) -> Owner | None:
        """Whose call it is; None: nobody's, or this node's."""
        owner = self.bus.owners.get(call_id) or self.heart.registry.get(call_id)
        return owner if owner != self.owner else None

    def is_here(self, call_id: CallId) -> bool:
        """Whether a call runs on this node."""
        return self._roll.has(call_id)

    def nodes(self) -> Sequence[NodeInfo]:
        """All nodes, this one as it is now; only this one while nobody is heard. Any thread may ask."""
        known = self.roster.nodes if self.heart.has_contact else ()
        others = [info for info in known if info.name != self.owner.name]
        return sorted([*others, self.describe()], key=lambda info: info.name)

    def gauges(self) -> Mapping[str, float]:
        """Levels for metrics; any thread may ask."""
        return {
            "cluster_contact": float(self.heart.has_contact),
            "cluster_nodes": float(len(self.nodes())),
            "cluster_calls": float(len(self.heart.registry)),
            "cluster_leases_held": float(self.leases.held),
        }

    async def start(self) -> None:
        """Join, in the background: a node takes calls without the others as well."""
        self._tasks.keep(self.heart.run, "heart")
        self._tasks.keep(self.bus.write, "bus, writing")
        self._tasks.keep(self.bus.read, "bus, reading")

    async def close(self) -> None:
        """Leave in good order; a Redis that is away is not waited for."""
        await self._tasks.close()
        self.leases.want(())
        if self.heart.has_contact:
            try:
                await self.bus.tell_rest()
                await self.phones.tell()
                await self.leases.turn()
                await self._shared.leave(self.owner)
            except ProviderError as error:
                log.warning("left without a word to the other nodes: %s", error)
        await self._shared.close()
