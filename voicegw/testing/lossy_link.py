"""Two or more sans-I/O endpoints on a network that loses, repeats and reorders by a fixed pattern.

Nothing here is random: a test names the datagrams that suffer, by their place in the order of sending on one
direction or by a look at their bytes, and every run is the same run. Time is a :class:`ManualClock`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voicegw.sip.address import Address
from voicegw.testing.manual_clock import ManualClock


class Endpoint(Protocol):
    """What a user agent offers."""

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None: ...

    def handle_timer(self, now: float) -> None: ...

    def get_timer(self) -> float | None: ...

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]: ...


@dataclass(frozen=True, slots=True)
class Carried:
    """One datagram that an endpoint sent: ``index`` counts those of its sender from 0; ``copies`` arrived."""

    at: float
    source: Address
    destination: Address
    data: bytes
    index: int
    copies: int

    @property
    def start_line(self) -> str:
        """The first line, for assertions: ``INVITE sip:b@... SIP/2.0`` or ``SIP/2.0 200 OK``."""
        return self.data.partition(b"\r\n")[0].decode("latin-1")


Impairment = Callable[[Carried], tuple[float, ...]]
"""For a datagram: the extra delays, in seconds, of the copies that arrive. () loses it, (0.0, 0.0) doubles it."""


def unimpaired(_carried: Carried) -> tuple[float, ...]:
    """Every datagram arrives once."""
    return (0.0,)


def lose(*indexes: int, source: Address | None = None) -> Impairment:
    """Lose the datagrams with these numbers, of one sender or of each."""

    def impair(carried: Carried) -> tuple[float, ...]:
        chosen = carried.index in indexes and source in (None, carried.source)
        return () if chosen else (0.0,)

    return impair


def lose_first(prefix: str, times: int = 1) -> Impairment:
    """Lose the first ``times`` datagrams whose first line begins with ``prefix``."""
    left = [times]

    def impair(carried: Carried) -> tuple[float, ...]:
        if left[0] and carried.start_line.startswith(prefix):
            left[0] -= 1
            return ()
        return (0.0,)

    return impair


def delay_first(prefix: str, seconds: float) -> Impairment:
    """Let the first datagram whose first line begins with ``prefix`` arrive late, behind others."""
    done: list[bool] = []

    def impair(carried: Carried) -> tuple[float, ...]:
        if not done and carried.start_line.startswith(prefix):
            done.append(True)
            return (seconds,)
        return (0.0,)

    return impair


def by_pattern(pattern: str) -> Impairment:
    """A cyclic pattern over each sender's datagrams: ``.`` once, ``x`` lost, ``d`` doubled, ``r`` 0.1 s late."""
    meaning: dict[str, tuple[float, ...]] = {".": (0.0,), "x": (), "d": (0.0, 0.01), "r": (0.1,)}
    return lambda carried: meaning[pattern[carried.index % len(pattern)]]


class LossyLink:
    """Carries datagrams between endpoints after ``delay`` seconds, and drives their timers.

    ``settle`` runs after every step and takes in what the test wants to do at once, such as reading events.
    """

    def __init__(self, clock: ManualClock, impairment: Impairment = unimpaired, delay: float = 0.02) -> None:
        self.clock = clock
        self.impairment = impairment
        self.delay = delay
        self.log: list[Carried] = []
        self.settle: Callable[[], None] = lambda: None
        self._endpoints: dict[Address, Endpoint] = {}
        self._sent: dict[Address, int] = {}
        self._under_way: list[tuple[float, int, Carried]] = []
        self._serial = 0

    def attach(self, address: Address, endpoint: Endpoint) -> None:
        """Make ``endpoint`` reachable at ``address``."""
        self._endpoints[address] = endpoint

    def detach(self, address: Address) -> None:
        """Let an endpoint die: what is sent to it is lost, its timers stand still."""
        del self._endpoints[address]

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        end = self.clock.monotonic() + seconds
        self._collect()
        while (moment := self._next_moment()) is not None and moment <= end:
            self.clock.advance_to(max(moment, self.clock.monotonic()))
            self._step()
        self.clock.advance_to(end)

    def first_lines(self) -> list[str]:
        """The start lines of everything that was sent, in order."""
        return [carried.start_line for carried in self.log]

    def _next_moment(self) -> float | None:
        moments = [m for e in self._endpoints.values() if (m := e.get_timer()) is not None]
        if self._under_way:
            moments.append(self._under_way[0][0])
        return min(moments, default=None)

    def _step(self) -> None:
        now = self.clock.monotonic()
        while self._under_way and self._under_way[0][0] <= now:
            carried = heapq.heappop(self._under_way)[2]
            endpoint = self._endpoints.get(carried.destination)
            if endpoint is not None:
                endpoint.receive_datagram(carried.data, carried.source, now)
                self._collect()
        for endpoint in list(self._endpoints.values()):
            endpoint.handle_timer(now)
        self._collect()

    def _collect(self) -> None:
        """Take in what the endpoints want to send, until nobody wants to."""
        self.settle()
        for address, endpoint in list(self._endpoints.items()):
            for data, destination in endpoint.datagrams_to_send():
                self._carry(address, destination, data)

    def _carry(self, source: Address, destination: Address, data: bytes) -> None:
        now = self.clock.monotonic()
        index = self._sent.get(source, 0)
        self._sent[source] = index + 1
        carried = Carried(now, source, destination, data, index, 1)
        delays = self.impairment(carried)
        self.log.append(Carried(now, source, destination, data, index, len(delays)))
        for extra in delays:
            self._serial += 1
            heapq.heappush(self._under_way, (now + self.delay + extra, self._serial, carried))
