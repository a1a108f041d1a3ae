"""Whether trunks answer: OPTIONS to each of their servers, and what follows when none answers (RFC 3261 §11).

The machine at the top is pure; the watch below it sends, waits and tells.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.fsm import TransitionTable
from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.base.tasks import child_task
from voicegw.gateway.servers import Servers
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.sip_requests import SipRequests
from voicegw.gateway.way import DIRECT, Way
from voicegw.sip.address import Address
from voicegw.sip.events import OutsideEvent, RequestAnswered
from voicegw.sip.failover import UNAVAILABLE

log = logging.getLogger(__name__)

MAX_SERVERS: Final = 8
"""Pinged of one trunk."""
SPREAD: Final = 0.1
"""By so much of the interval a ping comes early or late, so that those of a thousand nodes do not meet."""


class Health(Enum):
    """What is known of a trunk. One that nobody knows anything of is tried, as one that is up."""

    UNKNOWN = "not asked yet"
    UP = "it answers"
    DOWN = "it does not answer"


class HealthInput(Enum):
    """What pings come to."""

    ANSWERED = "so many in a row were answered"
    LOST = "so many in a row were not"


HEALTH: TransitionTable[Health, HealthInput] = TransitionTable(
    "trunk health",
    {
        (Health.UNKNOWN, HealthInput.ANSWERED): Health.UP,
        (Health.UNKNOWN, HealthInput.LOST): Health.DOWN,
        (Health.UP, HealthInput.ANSWERED): Health.UP,
        (Health.UP, HealthInput.LOST): Health.DOWN,
        (Health.DOWN, HealthInput.ANSWERED): Health.UP,
        (Health.DOWN, HealthInput.LOST): Health.DOWN,
    },
)


class HealthMachine:
    """Counts pings. ``up_after`` counts only on the way up from DOWN: the first answer ever is believed."""

    def __init__(self, down_after: int, up_after: int = 1) -> None:
        self.state = Health.UNKNOWN
        self.unanswered = 0
        """In a row."""
        self._answered = 0
        self._down_after = down_after
        self._up_after = up_after

    def note(self, *, answered: bool) -> bool:
        """Take in how a ping ended; true where the trunk is up or down from now on and was not before."""
        before = self.state
        self._answered = self._answered + 1 if answered else 0
        self.unanswered = 0 if answered else self.unanswered + 1
        if answered and self._answered >= (self._up_after if before is Health.DOWN else 1):
            self.state = HEALTH.next(before, HealthInput.ANSWERED)
        elif self.unanswered >= self._down_after:
            self.state = HEALTH.next(before, HealthInput.LOST)
        return self.state is not before


@dataclass(frozen=True, slots=True)
class HealthPlan:
    """Whom to ping, and how often."""

    target_uri: str
    from_: str
    interval_s: float = 30.0
    down_after: int = 3
    up_after: int = 1
    asks: bool = True
    """False: its names are looked up, and nobody is asked anything."""
    account: str = ""
    """The credentials for peers that challenge OPTIONS; a refusal is a sign of life as well."""
    way: Way = DIRECT


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """A trunk at this moment, for the API, metrics and people."""

    name: str
    health: Health
    since_s: float
    """For how long."""
    status: int
    """Of the latest answer; 0 before the first, 408 where none came."""
    round_trip_ms: float
    """Of the latest answer."""
    unanswered: int
    """In a row."""
    servers: tuple[str, ...]
    """Those that answered the latest ping."""
    why: str
    """Why it is down, in words."""


class _Watched:
    """One trunk with the task that pings it."""

    __slots__ = ("plan", "machine", "task", "since", "status", "round_trip_ms", "servers", "why")

    def __init__(self, plan: HealthPlan, now: float) -> None:
        self.plan = plan
        self.machine = HealthMachine(plan.down_after, plan.up_after)
        self.task: asyncio.Task[None] | None = None
        self.since = now
        self.status = 0
        self.round_trip_ms = 0.0
        self.servers: tuple[str, ...] = ()
        self.why = ""


class TrunkHealth:
    """Pings trunks. ``on_change`` is told, by name, when one goes down or comes up, with the reason in words;
    ``on_located`` of the addresses of its servers after each look-up."""

    def __init__(
        self,
        driver: SipDriver,
        requests: SipRequests,
        servers: Servers,
        random: RandomBytes,
        counters: Counters,
        on_change: Callable[[str, bool, str], None] = lambda _name, _up, _why: None,
        on_located: Callable[[str, Collection[Address]], None] = lambda _name, _addresses: None,
    ) -> None:
        self._driver = driver
        self._requests = requests
        self._servers = servers
        self._random = random
        self._counters = counters
        self._on_change = on_change
        self._on_located = on_located
        self._watched: dict[str, _Watched] = {}

    def put_in_force(self, plans: Mapping[str, HealthPlan]) -> None:
        """Ping these and nobody else; who is watched by the same plan already keeps its state."""
        for name in [name for name, watched in self._watched.items() if plans.get(name) != watched.plan]:
            task = self._watched.pop(name).task
            if task is not None:
                task.cancel()
        for name, plan in plans.items():
            if name not in self._watched:
                watched = self._watched[name] = _Watched(plan, self._driver.now)
                watched.task = child_task(self._watch(name, watched), f"health of {name}")

    def health(self, name: str) -> Health:
        """What is known of a trunk; UNKNOWN for one that is not pinged."""
        watched = self._watched.get(name)
        return Health.UNKNOWN if watched is None else watched.machine.state

    def snapshot(self) -> tuple[HealthSnapshot, ...]:
        """All pinged trunks, by name. Any thread may ask."""
        return tuple(self._look(name, watched) for name, watched in sorted(dict(self._watched).items()))

    def close(self) -> None:
        """Ping nobody any more."""
        self.put_in_force({})

    # ---------------------------------------------------------------- inside

    async def _watch(self, name: str, watched: _Watched) -> None:
        while True:
            addresses = await self._locate(name, watched)
            if watched.plan.asks:
                await self._ping(name, watched, addresses)
            await asyncio.sleep(watched.plan.interval_s * self._spread())

    async def _locate(self, name: str, watched: _Watched) -> list[Address]:
        """The servers of a trunk, and the news of them; none where none is found."""
        try:
            addresses = await self._servers.locate(watched.plan.target_uri, watched.plan.way)
        except (LocalError, RemoteProtocolError) as error:
            watched.status, watched.why = 0, str(error)
            return []
        self._on_located(name, addresses)
        return addresses[:MAX_SERVERS]

    async def _ping(self, name: str, watched: _Watched, addresses: list[Address]) -> None:
        """Ask every server of a trunk at once: one that takes calls is enough."""
        self._counters.add(LocatingCounter.PINGS)
        ends = await asyncio.gather(*(self._ask(watched, address) for address in addresses))
        alive = [address for address, takes_calls in zip(addresses, ends, strict=True) if takes_calls]
        watched.servers = tuple(f"{address.transport.value} {address}" for address in alive)
        if not alive:
            self._counters.add(LocatingCounter.PINGS_UNANSWERED)
        if watched.machine.note(answered=bool(alive)):
            self._tell(name, watched)

    async def _ask(self, watched: _Watched, address: Address) -> bool:
        plan, sent_at = watched.plan, self._driver.now
        try:
            event = await self._requests.send(
                "OPTIONS",
                plan.target_uri,
                address,
                from_=plan.from_,
                routes=plan.way.routes,
                account=plan.account,
                patience_s=min(self._servers.config.attempt_s, plan.interval_s),
            )
        except (LocalError, RemoteProtocolError) as error:
            watched.status, watched.why = 0, str(error)
            return False
        self._servers.note(address, event)
        self._note(watched, event, (self._driver.now - sent_at) * 1000)
        return isinstance(event, RequestAnswered) and event.response.status != UNAVAILABLE

    def _note(self, watched: _Watched, event: OutsideEvent, round_trip_ms: float) -> None:
        if not isinstance(event, RequestAnswered):
            watched.status = 408
            watched.why = "no answer to OPTIONS" if event.timed_out else "OPTIONS could not be sent"
            return
        watched.status, watched.round_trip_ms = event.response.status, round_trip_ms
        watched.why = "" if watched.status != UNAVAILABLE else f"OPTIONS: 503 {event.response.reason}"

    def _tell(self, name: str, watched: _Watched) -> None:
        up = watched.machine.state is Health.UP
        watched.since = self._driver.now
        self._counters.add(LocatingCounter.TRUNK_UP if up else LocatingCounter.TRUNK_DOWN)
        if up:
            log.info("a trunk is up", extra={"trunk": name, "round_trip_ms": round(watched.round_trip_ms)})
        else:
            log.warning("a trunk is down: calls go by others", extra={"trunk": name, "reason": watched.why})
        self._on_change(name, up, "" if up else watched.why)

    def _look(self, name: str, watched: _Watched) -> HealthSnapshot:
        return HealthSnapshot(
            name=name,
            health=watched.machine.state,
            since_s=self._driver.now - watched.since,
            status=watched.status,
            round_trip_ms=watched.round_trip_ms,
            unanswered=watched.machine.unanswered,
            servers=watched.servers,
            why=watched.why if watched.machine.state is Health.DOWN else "",
        )

    def _spread(self) -> float:
        return 1.0 - SPREAD + 2 * SPREAD * int.from_bytes(self._random(2), "big") / 65536
