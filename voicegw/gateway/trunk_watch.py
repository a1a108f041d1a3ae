"""What goes on at trunks between calls: registrations, signs of life, the addresses of their names.

Makes of every trunk's settings what :mod:`voicegw.gateway.registrations` and :mod:`voicegw.gateway.trunk_health`
want, and tells the desk what comes of it: a trunk is up while it answers and, where it registers us, while it does.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.base.tasks import child_task
from voicegw.gateway.located_requests import LocatedRequests
from voicegw.gateway.registrations import Enrolment, Registrations, RegistrationSnapshot
from voicegw.gateway.servers import Servers
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.sip_requests import SipRequests
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.gateway.trunk_health import Health, HealthPlan, HealthSnapshot, TrunkHealth
from voicegw.gateway.trunk_tls import TrunkTls
from voicegw.gateway.way import Way
from voicegw.ports.cluster import Hold
from voicegw.sip.address import Address
from voicegw.sip.registration import RegistrationPlan
from voicegw.sip.uri import escape_user

LOOK_UP_S = 60.0
"""How often the names of a trunk that is not pinged are looked up."""


@dataclass(frozen=True, slots=True)
class TrunkWatchSnapshot:
    """What is going on, for the API, metrics and people."""

    registrations: tuple[RegistrationSnapshot, ...]
    health: tuple[HealthSnapshot, ...]


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turns:
    """Which of several nodes registers at a trunk; by default there is one."""

    by: str = ""
    """The name of the nodes that register by turns. They are one instance to the registrar (RFC 5626 §4.1), so
    that the binding of a new owner replaces that of the last one, dead or alive."""
    hold: Callable[[str], Hold] = lambda _name: Hold.HELD
    """Whether this node is the one that registers at a trunk; ``holds_changed`` of the watch says that it is
    another."""
    on_registrars: Callable[[frozenset[str]], None] = lambda _names: None
    """Told of the trunks that this node would register at."""


class TrunkWatch:
    """``node_name`` makes our instance different from that of another node with the same trunks (RFC 5626 §4.1)."""

    def __init__(
        self,
        driver: SipDriver,
        requests: SipRequests,
        servers: Servers,
        desk: TrunkDesk,
        random: RandomBytes,
        counters: Counters,
        node_name: str,
    ) -> None:
        self._driver = driver
        self._desk = desk
        self._tls = TrunkTls(driver.wire.tls_clients)
        self._node_name = node_name
        self._is_closed = self._is_withdrawn = False
        self.turns = Turns()
        """To be set before the first trunk is watched; after that :meth:`take` changes them."""
        self._giving: set[asyncio.Task[None]] = set()
        self._trunks: dict[str, Trunk] = {}
        self._located: dict[str, frozenset[str]] = {}
        self._silent: dict[str, str] = {}
        self._unregistered: dict[str, str] = {}
        located = LocatedRequests(requests, servers, counters)
        self._registrations = Registrations(driver, located, random, counters, self._registration_changed)
        self._health = TrunkHealth(
            driver, requests, servers, random, counters, self._health_changed, self._addresses_found
        )

    def put_in_force(self, trunks: Iterable[Trunk]) -> None:
        """Watch these and no others, until :meth:`close`. What has not changed is left alone."""
        if self._is_closed:
            return
        enabled = [trunk for trunk in trunks if trunk.enabled]
        changed = [trunk.name for trunk in enabled if trunk != self._trunks.get(trunk.name, trunk)]
        for trunk in enabled:
            if trunk.settings.srtp_in_clear and trunk != self._trunks.get(trunk.name):
                log.warning(
                    "srtp_in_clear of trunk %s: anybody on the way can read the keys of its SRTP", trunk.name
                )
        self._trunks = {trunk.name: trunk for trunk in enabled}
        self._tls.put_in_force(enabled)
        names = {trunk.name for trunk in enabled}
        self._located = {name: hosts for name, hosts in self._located.items() if name in names}
        self._keep_alive()
        for memory in (self._silent, self._unregistered):
            for name in memory.keys() - names:
                del memory[name]
        registrars = {trunk.name: trunk for trunk in enabled if trunk.registrar and not self._is_withdrawn}
        self.turns.on_registrars(frozenset(registrars))
        held = [trunk for name, trunk in registrars.items() if self.turns.hold(name) is not Hold.NONE]
        ours = self.turns.by or self._node_name
        enrolments = {trunk.name: enrolment_of(trunk, ours) for trunk in held}
        plans = {trunk.name: health_plan_of(trunk) for trunk in enabled if trunk.domain}
        self._registrations.put_in_force(enrolments, registrars.keys() - enrolments.keys() if self.turns.by else ())
        self._registrations.freeze({name for name in enrolments if self.turns.hold(name) is Hold.FROZEN})
        self._health.put_in_force(plans)
        for name in names - enrolments.keys():
            self._unregistered.pop(name, None)
            self._desk.serve_by(name, ())
        for name in changed:
            self._driver.agent.forget_credentials(name)
            self._registrations.refresh(name)  # a corrected password need not wait for the next try
        for name in names:
            self._judge(name)

    def holds_changed(self) -> None:
        """Register where this node is to do so now, and take back what another one does now."""
        self.put_in_force(self._desk.trunks)

    def take(self, turns: Turns) -> None:
        """Register by other turns from now on. What is registered is taken back, as it is under another instance,
        and only then may another node have its turn."""
        before, self.turns = self.turns, turns
        self._registrations.put_in_force({})
        self.put_in_force(self._desk.trunks)
        if not turns.by:
            task = child_task(self._give_back(before), "turns given back")
            self._giving.add(task)
            task.add_done_callback(self._giving.discard)

    async def _give_back(self, turns: Turns) -> None:
        await self._registrations.left()
        if not self.turns.by:
            turns.on_registrars(frozenset())

    def snapshot(self) -> TrunkWatchSnapshot:
        """What is going on now. Any thread may ask."""
        return TrunkWatchSnapshot(self._registrations.snapshot(), self._health.snapshot())

    def gauges(self) -> dict[str, float]:
        """Levels for metrics. Any thread may ask."""
        now = self.snapshot()
        held = sum(one.registered for one in now.registrations)
        return {
            "sip_trunks_up": float(sum(one.health is Health.UP for one in now.health)),
            "sip_trunks_down": float(sum(one.health is Health.DOWN for one in now.health)),
            "sip_registrations_held": float(held),
            "sip_registrations_missing": float(len(now.registrations) - held),
        }

    def stop(self) -> None:
        """Send nothing any more, without a word to anybody."""
        self._health.close()
        self._registrations.stop()

    async def withdraw(self) -> None:
        """Take every registration back, so that no calls come; ours still go by these trunks, which are pinged."""
        self._is_withdrawn = True
        await self._registrations.close()
        self.turns.on_registrars(frozenset())

    async def resume(self) -> None:
        """Take calls, and register again, once what was taken back is: the one must not undo the other."""
        self._driver.agent.resume()
        await self._registrations.close()
        self._is_withdrawn = False
        self.put_in_force(self._desk.trunks)

    async def close(self) -> None:
        """Ping nobody any more and take every registration back; takes no longer than that may."""
        self._is_closed = True
        self._health.close()
        await self._registrations.close()
        self.turns.on_registrars(frozenset())

    # ---------------------------------------------------------------- inside

    def _registration_changed(self, name: str, holds: bool, why: str) -> None:
        if holds:
            self._unregistered.pop(name, None)
            self._desk.serve_by(name, self._registrations.routes(name))
            if (server := self._registrations.server_of(name)) is not None:
                self._desk.learn(name, self._located.get(name, frozenset()) | {server.host})
        else:
            self._unregistered[name] = why
        self._judge(name)

    def _health_changed(self, name: str, up: bool, why: str) -> None:
        if up:
            if self._silent.pop(name, None) is not None:
                self._registrations.refresh(name)  # it may have been started anew, and know nobody any more
        else:
            self._silent[name] = why
        self._judge(name)

    def _addresses_found(self, name: str, addresses: Collection[Address]) -> None:
        hosts = self._located[name] = frozenset(address.host for address in addresses)
        self._keep_alive()
        server = self._registrations.server_of(name)
        self._desk.learn(name, hosts if server is None else hosts | {server.host})

    def _keep_alive(self) -> None:
        """Which connections of ours are kept alive, and how often: the shorter time of two trunks at one host."""
        wanted: dict[str, float] = {}
        for name, hosts in self._located.items():
            every_s = self._trunks[name].settings.keep_alive_s if name in self._trunks else 0
            if every_s:
                wanted |= {host: min(every_s, wanted.get(host, every_s)) for host in hosts}
        self._driver.wire.connections.keep_alives = wanted

    def _judge(self, name: str) -> None:
        why = self._silent.get(name) or self._unregistered.get(name)
        if why:
            self._desk.set_down(name, why)
        else:
            self._desk.set_up(name)


def enrolment_of(trunk: Trunk, node_name: str) -> Enrolment:
    """How a trunk registers us. A registrar of its own is found by its own name, not by the trunk's hosts."""
    settings = trunk.settings.registration
    plan = RegistrationPlan(
        address_of_record=trunk.address_of_record,
        registrar=trunk.registrar,
        contact_user=escape_user(settings.contact_user or trunk.settings.username),
        expires_s=settings.expires_s,
        retry_s=settings.retry_s,
        instance=instance_of(node_name, trunk.name) if settings.outbound else "",
    )
    way = Way(trunk.way.routes) if settings.registrar else trunk.way
    return Enrolment(plan, trunk.name, way)


def health_plan_of(trunk: Trunk) -> HealthPlan:
    """How a trunk is pinged, or only looked up."""
    health = trunk.settings.health
    return HealthPlan(
        target_uri=f"sip:{trunk.domain}{trunk.transport_parameter}",
        from_=f"<{trunk.address_of_record}>",
        interval_s=health.options_s or LOOK_UP_S,
        down_after=health.down_after,
        asks=health.options_s > 0,
        account=trunk.name,
        way=trunk.way,
    )


def instance_of(node_name: str, trunk_name: str) -> str:
    """Our instance at a trunk: the same after a restart, another one for another node (RFC 5626 §4.1)."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{trunk_name}.{node_name}").urn
