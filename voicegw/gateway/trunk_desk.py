"""The trunks of a running node: whose call this is, which trunk is next, and whether it has a line left.

Lives in the event loop of the gateway. What is decided here is decided by :mod:`voicegw.gateway.trunk_table`; the
desk knows in addition what is going on: calls at once, calls a second, trunks that are down, addresses of names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.shared_lines import SharedLines
from voicegw.gateway.token_bucket import Rate, TokenBucket
from voicegw.gateway.toll_desk import TollDesk
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_numbers import to_inside
from voicegw.gateway.trunk_table import OutRoute, RouteRefused, TrunkTable
from voicegw.gateway.way import Way
from voicegw.sip.address import Address, is_literal
from voicegw.sip.digest import Credentials
from voicegw.sip.parties import number_of

UNKNOWN_RATE = Rate(1e9, 1e9)
_MESSAGES_A_CALL = 10
"""So many messages may come for each call a second that a trunk is allowed, and as many again as repetitions."""


class TrunkCounter(StrEnum):
    """What is counted; each trunk's calls are told by :meth:`TrunkDesk.snapshot`."""

    UNKNOWN_SOURCE = "trunk_unknown_source"
    FULL = "trunk_full"
    NOT_ALLOWED = "trunk_not_allowed"
    DOWN = "trunk_down"


@dataclass(frozen=True, slots=True)
class TrunkState:
    """A trunk at this moment."""

    name: str
    up: bool
    calls: int
    why: str = ""
    """Why it is down, in words."""


class TrunkDesk:
    """``strangers``: what becomes of calls of no trunk: ``open``, ``refuse`` (403) or ``silent``."""

    def __init__(
        self,
        trunks: Iterable[Trunk],
        strangers: str,
        counters: Counters,
        shared: SharedLines | None = None,
        tolls: TollDesk | None = None,
    ) -> None:
        """``shared``: lines that other nodes take as well. ``tolls``: what calls out may cost."""
        self.shared = shared or SharedLines()
        self.tolls = tolls or TollDesk(counters=counters)
        self._trunks = tuple(trunks)
        self.strangers = strangers
        """May be changed; see above."""
        self._counters = counters
        self._learned: dict[str, frozenset[str]] = {}
        self._table = TrunkTable(self._trunks)
        self._down: dict[str, str] = {}
        self._lines: dict[LegId, str] = {}
        self._calls: Counter[str] = Counter()
        self._rates: dict[tuple[str, str], TokenBucket] = {}
        self.on_change: Callable[[], None] = lambda: None
        """Called when addresses of trunks are others than before."""
        self.on_trunks: Callable[[tuple[Trunk, ...]], None] = lambda _trunks: None
        """Called when the trunks are others than before."""
        self.on_state: Callable[[TrunkState], None] = lambda _state: None
        """Called when a trunk goes down, comes up, or is down for another reason."""
        self._service_routes: dict[str, tuple[str, ...]] = {}

    # ---------------------------------------------------------------- what trunks there are

    @property
    def table(self) -> TrunkTable:
        """The trunks as they are now."""
        return self._table

    def put_in_force(self, trunks: Iterable[Trunk]) -> None:
        """For calls that begin from now on."""
        self._trunks = tuple(trunks)
        names = {trunk.name for trunk in self._trunks}
        self._rates = {whose: bucket for whose, bucket in self._rates.items() if whose[0] in names}
        self._down = {name: why for name, why in self._down.items() if name in names}
        self._learned = {name: hosts for name, hosts in self._learned.items() if name in names}
        self._service_routes = {name: way for name, way in self._service_routes.items() if name in names}
        self._rebuild()
        self.on_trunks(self._trunks)

    @property
    def trunks(self) -> tuple[Trunk, ...]:
        """All of them, those that are switched off among them."""
        return self._trunks

    def serve_by(self, name: str, routes: tuple[str, ...]) -> None:
        """Calls of this trunk go by these Route values, as its registrar has said (RFC 3608); none: as set."""
        self._service_routes[name] = routes

    def learn(self, name: str, hosts: Collection[str]) -> None:
        """The names of this trunk have these addresses now: its calls come from there as well."""
        found = frozenset(host for host in hosts if is_literal(host))
        if self._learned.get(name) != found:
            self._learned[name] = found
            self._rebuild()

    def set_up(self, name: str) -> None:
        """It answers (again)."""
        if self._down.pop(name, None) is not None:
            self.on_state(TrunkState(name, up=True, calls=self._calls[name]))

    def set_down(self, name: str, why: str) -> None:
        """It answers no more, or refuses our registration; calls go by others as long as there are others."""
        if self._down.get(name) != why:
            self._down[name] = why
            self.on_state(TrunkState(name, up=False, calls=self._calls[name], why=why))

    def snapshot(self) -> tuple[TrunkState, ...]:
        """All trunks, by name."""
        states = (
            TrunkState(name, name not in self._down, self._calls[name], self._down.get(name, ""))
            for name in (trunk.name for trunk in self._table.trunks)
        )
        return tuple(sorted(states, key=lambda state: state.name))

    # ---------------------------------------------------------------- messages

    @property
    def is_silent(self) -> bool:
        """Whether strangers get no answer: :meth:`hears` is to be asked about every message."""
        return self.strangers == "silent"

    def hears(self, data: bytes, source: Address, *, known: bool) -> bool:
        """Whether a message is read at all. False only where strangers get silence (no 403, no 404, no 100).

        ``known``: the address has a call with us, or registered, or is trusted (``sip.guard``): this machine's own
        look whether we live, and a balancer's, must not take us for dead. Who wants to register may show
        who they are.
        """
        if known or data.startswith((b"SIP/2.0", b"REGISTER ")):
            return True
        if self._table.of_host(source.host):
            return True
        self._counters.add(TrunkCounter.UNKNOWN_SOURCE)
        return False

    def rate_of(self, host: str) -> Rate | None:
        """How many messages a second an address may send, by its trunk's limit; None: it is no trunk's."""
        trunks = self._table.of_host(host)
        if not trunks:
            return None
        limits = [trunk.settings.max_calls_per_s for trunk in trunks]
        if not all(limits):
            return UNKNOWN_RATE
        per_s = sum(limits) * 2 * _MESSAGES_A_CALL
        return Rate(per_s, per_s * 2)

    def credentials(self, account: str, realm: str, _destination: Address) -> Credentials | None:
        """What answers a challenge to a request of the trunk ``account``, in its own realm where it names one."""
        trunk = self._table.find(account)
        if trunk is None or (trunk.settings.realm and trunk.settings.realm != realm):
            return None
        return trunk.credentials

    # ---------------------------------------------------------------- calls

    def welcomes(self, host: str) -> bool:
        """Whether an address may call at all."""
        return self.strangers == "open" or bool(self._table.of_host(host))

    def admit(
        self, leg_id: LegId, source: Address, called: str, now: float, names: Collection[str] = ()
    ) -> Trunk | None:
        """The trunk of a call in, with a line of it taken; None for one of no trunk.

        Raises RouteRefused for a stranger where those are refused, and where the trunk is full.
        """
        trunk = self._table.of_call(source.host, called, names)
        if trunk is None:
            if self.strangers == "open":
                return None
            self._counters.add(TrunkCounter.UNKNOWN_SOURCE)
            raise RouteRefused(HangupCause.UNKNOWN_SOURCE, f"{source.host} is no trunk's")
        self._take(leg_id, trunk, "in", now)
        return trunk

    def route(
        self, leg_id: LegId, uri: str, now: float, tried: Collection[str] = (), payer: Payer = NOBODY
    ) -> OutRoute:
        """The way of a call out, with a line of its trunk taken; trunks that were ``tried`` are passed over.

        Raises RouteRefused where nothing may or can carry it, or ``payer`` may not have it carried;
        RemoteProtocolError for what is no URI.
        """
        refused: RouteRefused | None = None
        for route in self._routes(uri):
            if route.trunk is None:
                return route
            if route.trunk.name in tried:
                continue
            try:
                self._require_up(route.trunk)
                self._take(leg_id, route.trunk, "out", now)
                self.tolls.begin(leg_id, route.trunk.name, route.number, payer)
            except RouteRefused as error:
                if error.barred is not None:
                    self.put_back(leg_id)
                refused = refused or error
                continue
            return route
        if refused is not None:
            raise self.tolls.noted(refused)
        raise RouteRefused(HangupCause.TRUNK_DOWN, "every trunk that carries the number was tried")

    def has_other(self, uri: str, tried: Collection[str]) -> bool:
        """Whether a trunk that was not tried carries the call, and is up. Raises RemoteProtocolError for no URI."""
        others = (way.trunk.name for way in self._table.routes(uri) if way.trunk is not None)
        return any(name not in tried and name not in self._down for name in others)

    def best(self, uri: str) -> OutRoute:
        """The way that a call would take, without taking it. Raises as :meth:`route` does, but for full trunks."""
        ways = self._routes(uri)
        return next((way for way in ways if way.trunk is None or way.trunk.name not in self._down), ways[0])

    def check(self, uri: str, payer: Payer = NOBODY) -> None:
        """Raises RouteRefused, as :meth:`route` would, for a call that the toll rules would not allow now."""
        refused: RouteRefused | None = None
        for route in self._routes(uri):
            if route.trunk is None:
                return
            try:
                self.tolls.check(route.trunk.name, route.number, payer)
            except RouteRefused as error:
                refused = refused or error
            else:
                return
        if refused is not None:
            raise refused

    def redirect(self, leg_id: LegId, uri: str) -> None:
        """The called side sends a call of ours on to ``uri``; raises RouteRefused where the toll rules do not allow
        that. Who may be named at all is not decided here."""
        trunk = self.trunk_of(leg_id)
        if trunk is not None:
            self.tolls.redirect(leg_id, trunk.name, to_inside(trunk.settings.numbering, number_of(uri)))

    def trunk_of(self, leg_id: LegId) -> Trunk | None:
        """By which a leg came or goes, as it is set now; None for no trunk, or one that is gone."""
        name = self._lines.get(leg_id)
        return self._table.find(name) if name is not None else None

    def release(self, leg_id: LegId) -> None:
        """The leg is over; one of no trunk has nothing to give back."""
        self.put_back(leg_id)
        self.tolls.ended(leg_id)

    def put_back(self, leg_id: LegId) -> None:
        """The trunk of a leg carries it no more, and perhaps another one will."""
        self.shared.release(leg_id)
        name = self._lines.pop(leg_id, None)
        if name is not None:
            self._calls[name] -= 1

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """A leg is called something else from now on; what was called so before is over."""
        line = self._lines.pop(leg_id, None)
        self.release(name)
        self.shared.rename(leg_id, name)
        self.tolls.rename(leg_id, name)
        if line is not None:
            self._lines[name] = line

    # ---------------------------------------------------------------- inside

    def _routes(self, uri: str) -> tuple[OutRoute, ...]:
        try:
            ways = self._table.routes(uri)
        except RouteRefused:
            self._counters.add(TrunkCounter.NOT_ALLOWED)
            raise
        return tuple(self._by_service_route(way) for way in ways)

    def _by_service_route(self, route: OutRoute) -> OutRoute:
        named = () if route.trunk is None else self._service_routes.get(route.trunk.name, ())
        return replace(route, way=Way(named)) if named else route

    def _require_up(self, trunk: Trunk) -> None:
        if trunk.name in self._down:
            self._counters.add(TrunkCounter.DOWN)
            raise RouteRefused(HangupCause.TRUNK_DOWN, f"trunk {trunk.name} is down: {self._down[trunk.name]}")

    def _take(self, leg_id: LegId, trunk: Trunk, way: str, now: float) -> None:
        settings = trunk.settings
        if settings.max_calls and self._calls[trunk.name] >= settings.max_calls:
            self._full(trunk, f"all {settings.max_calls} lines are taken")
        if settings.max_calls_per_s:
            rate = Rate(settings.max_calls_per_s, max(1.0, settings.max_calls_per_s))
            bucket = self._rates.setdefault((trunk.name, way), TokenBucket(rate, now))
            bucket.rate = rate
            if not bucket.take(now):
                self._full(trunk, f"more than {settings.max_calls_per_s:g} calls a second")
        self._lines[leg_id] = trunk.name
        self._calls[trunk.name] += 1

    def _full(self, trunk: Trunk, why: str) -> None:
        self._counters.add(TrunkCounter.FULL)
        raise RouteRefused(HangupCause.TRUNK_FULL, f"trunk {trunk.name}: {why}")

    def _rebuild(self) -> None:
        learned = [(name, host) for name, hosts in self._learned.items() for host in sorted(hosts)]
        self._table = TrunkTable(self._trunks, learned)
        self.on_change()
