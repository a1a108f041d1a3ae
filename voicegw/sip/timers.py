"""The timers of SIP and one heap for all of them.

Names and values are those of RFC 3261 table 4 with L and M of RFC 6026; the rest belong to dialogs. Nothing here
knows what time it is: ``now`` is handed in, in monotonic seconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar


class Timer(Enum):
    """Every timer that a user agent may have running."""

    __hash__ = (
        object.__hash__
    )  # members are singletons; that of Enum is a function in Python, called for each look-up

    A = "INVITE request retransmission, unreliable transport"
    B = "INVITE client transaction timeout"
    C = "an INVITE that rings for too long (§16.7 for proxies; used by our caller side to give up)"
    D = "wait for retransmitted responses to an INVITE"
    E = "non-INVITE request retransmission, unreliable transport"
    F = "non-INVITE client transaction timeout"
    G = "INVITE response retransmission"
    H = "wait for the ACK of a refused INVITE"
    I = "wait for retransmitted ACKs"  # noqa: E741 - the RFC's name
    J = "wait for retransmitted non-INVITE requests"
    K = "wait for retransmitted non-INVITE responses"
    L = "wait for INVITE retransmissions after a 2xx (RFC 6026)"
    M = "wait for 2xx retransmissions and other forks (RFC 6026)"
    RETRANSMIT_2XX = "2xx retransmission until its ACK (§13.3.1.4)"
    ACK_WAIT = "the ACK of a 2xx never came (§13.3.1.4)"
    CANCEL_WAIT = "a cancelled INVITE that gets no final response (§9.1)"
    GLARE = "try a re-INVITE again after 491 (§14.1)"
    PATIENCE = "a request whose sender does not want to wait for as long as timers B and F do (RFC 3263 §4.3)"
    SUBSCRIPTION = "a subscription ends, or is to be lengthened (RFC 6665 §4)"
    NOTIFY_WAIT = "timer N: no NOTIFY after a SUBSCRIBE (RFC 6665 §4.1.2.4)"
    SESSION_REFRESH = "our refresh of the session is due (RFC 4028 §10)"
    SESSION_EXPIRY = "nobody refreshed the session: give it up (RFC 4028 §10)"
    RETRANSMIT_1XX = "retransmission of a reliable provisional response until its PRACK (RFC 3262 §3)"
    PRACK_WAIT = "the PRACK of a reliable provisional response never came (RFC 3262 §3)"
    UPDATE_GLARE = "try an UPDATE again after 491 (RFC 3311 §5.3)"
    NEXT_KEY = "the next key by INFO is due: the last one is over"
    REFRESH_1XX = "repeat a provisional response so that proxies keep the call (§13.3.1.1)"


@dataclass(frozen=True, slots=True)
class TimerValues:
    """The base values of all timers (RFC 3261 §17.1.1.1, table 4), in seconds."""

    t1: float = 0.5
    """Estimated round trip. Smaller only in closed networks."""
    t2: float = 4.0
    """Longest interval between retransmissions of a non-INVITE request or an INVITE response."""
    t4: float = 5.0
    """How long a message may remain in the network."""
    absorb_failure: float = 32.0
    """Timer D: 32 s or more whatever T1 is, because the server's timer H may not follow ours."""
    ringing: float = 180.0
    """Timer C: how long an INVITE of ours may go on without a final response."""
    refresh: float = 60.0
    """How often a provisional response is repeated; proxies drop a call after three minutes without one."""

    @property
    def timeout(self) -> float:
        """64*T1: how long a transaction waits for its peer."""
        return 64 * self.t1

    def first(self, timer: Timer) -> float:
        """The interval after which ``timer`` fires for the first time, unreliable transport."""
        return _FIRST[timer](self)

    def again(self, timer: Timer, interval: float) -> float:
        """The interval that follows ``interval``: doubled, up to T2 for all but those of ``_UNLIMITED``."""
        return interval * 2 if timer in _UNLIMITED else min(interval * 2, self.t2)


_UNLIMITED = frozenset({Timer.A, Timer.RETRANSMIT_1XX})


_FIRST: Mapping[Timer, Callable[[TimerValues], float]] = {
    Timer.A: lambda v: v.t1,
    Timer.B: lambda v: v.timeout,
    Timer.C: lambda v: v.ringing,
    Timer.D: lambda v: v.absorb_failure,
    Timer.E: lambda v: v.t1,
    Timer.F: lambda v: v.timeout,
    Timer.G: lambda v: v.t1,
    Timer.H: lambda v: v.timeout,
    Timer.I: lambda v: v.t4,
    Timer.J: lambda v: v.timeout,
    Timer.K: lambda v: v.t4,
    Timer.L: lambda v: v.timeout,
    Timer.M: lambda v: v.timeout,
    Timer.RETRANSMIT_2XX: lambda v: v.t1,
    Timer.ACK_WAIT: lambda v: v.timeout,
    Timer.CANCEL_WAIT: lambda v: v.timeout,
    Timer.GLARE: lambda v: v.t2,
    Timer.PATIENCE: lambda v: v.timeout,
    Timer.SUBSCRIPTION: lambda v: v.timeout,
    Timer.NOTIFY_WAIT: lambda v: v.timeout,
    Timer.SESSION_REFRESH: lambda v: v.t2,
    Timer.SESSION_EXPIRY: lambda v: v.timeout,
    Timer.RETRANSMIT_1XX: lambda v: v.t1,
    Timer.PRACK_WAIT: lambda v: v.timeout,
    Timer.UPDATE_GLARE: lambda v: v.t2,
    Timer.REFRESH_1XX: lambda v: v.refresh,
    Timer.NEXT_KEY: lambda v: v.t1,
}

RETRANSMISSION_TIMERS = frozenset({Timer.A, Timer.E, Timer.G})
"""Never started over a reliable transport."""
ABSORBING_TIMERS = frozenset({Timer.D, Timer.I, Timer.J, Timer.K})
"""Zero over a reliable transport, where nothing is retransmitted that would have to be absorbed."""

Owner = TypeVar("Owner", bound=Hashable)


class TimerQueue(Generic[Owner]):
    """One heap for every timer of a user agent; at most one running timer for each (owner, name).

    A cancelled or restarted timer leaves its old entry in the heap, to be skipped when it comes up: removing it
    would cost a search. The heap is rebuilt when such leftovers outnumber the running timers, so its size stays
    proportional to what is running.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Owner, Timer]] = []
        self._running: dict[tuple[Owner, Timer], int] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._running)

    def start(self, owner: Owner, timer: Timer, deadline: float) -> None:
        """Let ``timer`` of ``owner`` fire at ``deadline``; a running one is moved."""
        self._serial += 1
        self._running[(owner, timer)] = self._serial
        heapq.heappush(self._heap, (deadline, self._serial, owner, timer))

    def stop(self, owner: Owner, timer: Timer) -> None:
        """Stop it if it runs."""
        if self._running.pop((owner, timer), None) is not None and len(self._heap) > 64 + 2 * len(self._running):
            self._heap = [entry for entry in self._heap if self._is_running(entry)]
            heapq.heapify(self._heap)

    def next_deadline(self) -> float | None:
        """When the earliest timer fires, or None."""
        while self._heap and not self._is_running(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Iterator[tuple[Owner, Timer]]:
        """Yield and forget each timer with a deadline up to ``now``, earliest first.

        A timer that is stopped or started by the handling of an earlier one is honoured.
        """
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            _, _, owner, timer = heapq.heappop(self._heap)
            del self._running[(owner, timer)]
            yield owner, timer

    def _is_running(self, entry: tuple[float, int, Owner, Timer]) -> bool:
        return self._running.get((entry[2], entry[3])) == entry[1]
