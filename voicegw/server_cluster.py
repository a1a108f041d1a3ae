"""A node's part in a cluster: what it is told of its calls, and what it does with what others tell."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

from voicegw.api.captures import CallCaptures
from voicegw.api.control import CallControl
from voicegw.base.clock import Clock, SystemClock
from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId
from voicegw.base.installing import pip_install
from voicegw.base.metrics import Counters
from voicegw.call.facts import Entry
from voicegw.cluster.config import ClusterConfig
from voicegw.cluster.messages import Answered, CallsLost, ConfigChanged
from voicegw.cluster.node import ClusterNode, Standing
from voicegw.config import Config
from voicegw.gateway.guard import Guard
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.registrar import PhoneKeeper
from voicegw.gateway.trunk_watch import TrunkWatch, Turns
from voicegw.ports.cluster import Hold, LinePool, NodeState, Owner, SharedCall, SharedState
from voicegw.runtime.drain import NodeState as DrainState
from voicegw.runtime.node import Node
from voicegw.server_cluster_bans import GuardTogether
from voicegw.server_cluster_captures import CAPTURE, CapturesHere, ClusterCaptures, carry_out_capture
from voicegw.server_cluster_config import Followed
from voicegw.server_cluster_control import ClusterControl, carry_out
from voicegw.server_cluster_phones import PhonesTogether
from voicegw.server_cluster_place import own_place
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import Refused, StoreUnavailable
from voicegw.storage.lost_calls import end_lost_calls, last_fact
from voicegw.storage.store import Store

log = logging.getLogger(__name__)

_STORE_S: Final = 5.0
"""Less than the claim to the calls of a dead node."""
_STORE_AGAIN_S: Final = 10.0
_REGISTER: Final = "register/"


class Hub(Protocol):
    """Who watches calls; :class:`voicegw.api.events_stream.EventHub`. Any thread may call."""

    def share(self) -> None:
        """There are other nodes."""
        ...

    def publish(self, call_id: CallId, entry: Entry, *, node: str = "", place: str = "") -> None:
        """A fact became known."""
        ...

    def compare(self, registry: Mapping[CallId, object], ended: Callable[[], Entry]) -> None:
        """The calls that all nodes have now."""
        ...


class ClusterPart:
    """Constructed before the node, which takes its lines; :meth:`attach` brings both together."""

    def __init__(self, config: Config, counters: Counters, clock: Clock | None = None) -> None:
        """Raises ConfigError."""
        self._config = config
        self._counters = counters
        self._clock = clock or SystemClock()
        self._ending = LostCalls(config.store, self._clock)
        cluster, shared = config.cluster, shared_state(config)
        place = own_place(config, socket.gethostname(), os.environ)
        self.node = ClusterNode(
            cluster, shared, place, self._standing, self, self._ending.end, self._clock, counters
        )
        self._running: Node | None = None
        self._control: CallControl | None = None
        self._here: CapturesHere | None = None
        self._hub: Hub | None = None
        self._followed: Followed | None = None
        self._watch: TrunkWatch | None = None
        self._was_cut_off = False

    @property
    def lines(self) -> LinePool:
        """Those that all nodes share."""
        return self.node.lines

    # ------------------------------------------------------------ wiring

    def attach(self, node: Node, watch: TrunkWatch, control: CallControl, guard: Guard, here: CapturesHere) -> None:
        """The node that is being told of; other nodes have its calls controlled."""
        self._running, self._control, self._here = node, control, here
        GuardTogether(guard, self.node.bans, self._clock, self._counters)
        self._watch, self.node.leases.on_change = watch, self._lease_changed
        watch.turns = self._turns(self._config.cluster)

    def _turns(self, cluster: ClusterConfig) -> Turns:
        return Turns(cluster.name, self._hold, self._want) if cluster.own_registrations else Turns()

    def _hold(self, name: str) -> Hold:
        return self.node.leases.hold(_REGISTER + name)

    def _want(self, names: Collection[str]) -> None:
        self.node.leases.want([_REGISTER + name for name in sorted(names)])

    def share_phones(self, book: PhoneBook, keeper: PhoneKeeper) -> None:
        """Phones that register through a balancer at any node are called by all."""
        node, heart = self.node, self.node.heart

        def alive() -> frozenset[str]:
            return frozenset({node.owner.name, *(info.name for info in heart.roster.nodes)})

        together = PhonesTogether(book, keeper, node.phones, self._clock, self._counters, alive)
        heart.on_roster = together.look_around

    def check(self, config: Config) -> None:
        """Raises ConfigError where the addresses of such a configuration are none."""
        own_place(config, socket.gethostname(), os.environ)

    def use(self, config: Config) -> None:
        """Times, where this node is reached and what it shares, from the next beat on; what it is called stays."""
        before, self._config = self._config.cluster, config
        self.node.use(config.cluster, own_place(config, socket.gethostname(), os.environ))
        if config.cluster.own_registrations is not before.own_registrations and self._watch is not None:
            self._watch.take(self._turns(config.cluster))

    def control(self, local: CallControl) -> CallControl:
        """Control of the calls of all nodes; ``local`` is that of this one's."""
        return ClusterControl(local, self.node)

    def captures(self, local: CallCaptures) -> CallCaptures:
        """Captures of the calls of all nodes; ``local`` are those of this one's."""
        return ClusterCaptures(local, self.node)

    def watch_calls(self, hub: Hub) -> None:
        """Tell those who watch at this node of the calls of all."""
        hub.share()
        self._hub = hub
        self.node.on_registry = lambda registry: hub.compare(registry, lambda: last_fact(0, 0.0))

    def follow(self, followed: Followed) -> None:
        """What is published elsewhere is put in force here, and the other way round."""
        self._followed = followed
        followed.announce = self.node.bus.announce
        self.node.heart.on_contact = self._contact_changed

    def degraded(self) -> dict[str, str]:
        """What does not work for now; any thread may ask."""
        if self.node.heart.has_contact:
            return {}
        return {
            "cluster": "redis cannot be reached: limits, live calls and news of phones are those of this node alone"
        }

    async def start(self) -> None:
        """Join."""
        await self.node.start()

    async def close(self) -> None:
        """Leave, after the last call is over."""
        await self._ending.close()
        if self._followed is not None:
            await self._followed.close()
        await self.node.close()

    # ------------------------------------------------------------ what this node tells

    def publish(self, call_id: CallId, entry: Entry) -> None:
        """A fact of a call of this node."""
        self.node.bus.publish(call_id, entry)

    def _standing(self) -> Standing:
        node = self._running
        assert node is not None, "joined before there was a node"
        if node.drainer.status().state is not DrainState.SERVING:
            state = NodeState.DRAINING
        else:
            state = NodeState.READY if node.manager.has_room else NodeState.FULL
        return Standing(state, node.manager.active, node.manager.max_calls)

    def _contact_changed(self, holds: bool) -> None:
        """What was published while nobody could be heard is in the store."""
        if holds and self._was_cut_off and self._followed is not None:
            self._followed.refresh()
        self._was_cut_off = not holds

    def _lease_changed(self, name: str, hold: Hold) -> None:
        log.info("a registration is %s", hold.name.lower(), extra={"trunk": name.removeprefix(_REGISTER)})
        assert self._watch is not None, "nobody else wants leases"
        asyncio.get_running_loop().call_soon(self._watch.holds_changed)

    # ------------------------------------------------------------ what others tell

    def fact(self, owner: Owner, call_id: CallId, entry: Entry, position: str) -> None:
        """See :class:`~voicegw.cluster.bus.BusListener`."""
        if self._hub is not None:
            node = "" if owner == self.node.owner else owner.name
            self._hub.publish(call_id, entry, node=node, place=position)

    def lost(self, lost: CallsLost, position: str) -> None:
        """See the protocol. Calls of this node are running, whatever others had to think while it was cut off."""
        name = Owner.parse(lost.owner).name
        if self._hub is not None:
            for call_id, entry in lost.ended:
                if not self.node.is_here(call_id):
                    self._hub.publish(call_id, entry, node=name, place=position)

    def config(self, changed: ConfigChanged) -> None:
        """See the protocol."""
        if self._followed is not None:
            self._followed.changed(changed.part, changed.digest)

    async def asked(self, what: str, body: bytes) -> Answered:
        """See the protocol."""
        if what == CAPTURE:
            return await carry_out_capture(self._here, body)
        return await carry_out(self._control, what, body)


def shared_state(config: Config) -> SharedState:
    """What the nodes of the configuration's cluster share; raises ConfigError."""
    try:
        # A second of loading that a server on its own does not spend, and a package that it need not have.
        from voicegw.cluster.redis import RedisShared
    except ImportError:
        raise ConfigError("the package redis is not installed", fix=pip_install("voicegw[redis]")) from None
    cluster = config.cluster
    return RedisShared(cluster.redis, cluster.name, password=_password(config), kept=cluster.events)


class LostCalls:
    """Ends the calls of dead nodes in the store, at once or as soon as it answers."""

    def __init__(self, config: StoreConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def end(self, owner: Owner, calls: Sequence[SharedCall]) -> tuple[tuple[CallId, Entry], ...]:
        """Write down that they are over; the last fact of each, also of those that are in no store of ours."""
        if not calls:
            return ()
        call_ids = [call.call_id for call in calls]
        try:
            async with asyncio.timeout(_STORE_S):
                stored = await self._write(call_ids)
        except (StoreUnavailable, Refused, TimeoutError) as error:
            log.warning("the calls of node %s are ended in the store later: %s", owner.name, error)
            self._begin(self._insist(call_ids))
            stored = {}
        return tuple((call.call_id, stored.get(call.call_id) or last_fact(call.seq + 1, 0.0)) for call in calls)

    async def close(self) -> None:
        """Give up; their own node ends them when it starts again."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _write(self, call_ids: Sequence[CallId]) -> dict[CallId, Entry]:
        store = Store(self._config)
        try:
            return await end_lost_calls(store, call_ids, round(self._clock.wall() * 1000), os.urandom)
        finally:
            await store.close()

    async def _insist(self, call_ids: Sequence[CallId]) -> None:
        while True:
            await asyncio.sleep(_STORE_AGAIN_S)
            try:
                await self._write(call_ids)
                return
            except StoreUnavailable:
                continue
            except Refused as error:
                log.error("the calls of a dead node stay open in the store: %s", error)
                return

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="end lost calls")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _password(config: Config) -> str:
    name = config.cluster.redis_password_env
    if name and not os.environ.get(name):
        raise ConfigError(f"the environment variable {name} is not set", fix=f"set {name} for the server")
    return os.environ[name] if name else ""
