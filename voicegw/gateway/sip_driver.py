"""Joins the user agent, which knows no socket and no clock, to both."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from voicegw.base.clock import Clock
from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.base.starvation import starved_s
from voicegw.gateway.config import SipConfig
from voicegw.gateway.guard import Ban, Guard
from voicegw.gateway.load_meter import CHECK_S, LoadMeter
from voicegw.gateway.set_up_clock import SetUpClock
from voicegw.gateway.sip_traces import SipTraces
from voicegw.gateway.sip_wire import SipWire
from voicegw.gateway.snapshot import SipSnapshot
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.sip.address import Address
from voicegw.sip.challenges import FindCredentials, no_credentials
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import UserAgentEvent
from voicegw.sip.framing import Fault
from voicegw.sip.locating import Abilities, RecordKind
from voicegw.sip.provisional import ReliablePolicy
from voicegw.sip.reception import OPEN_RECEPTION, Reception
from voicegw.sip.session_timer import SessionTimerPolicy
from voicegw.sip.stun import answer_stun, is_stun
from voicegw.sip.tap import Taps
from voicegw.sip.timers import TimerValues
from voicegw.sip.user_agent import UserAgent

log = logging.getLogger(__name__)

_RESOURCE_CHECKS = 10
"""Checks of the load for each one of files and memory, which take a system call for each open file."""
_REFUSALS = (b"SIP/2.0 4", b"SIP/2.0 5", b"SIP/2.0 6")


class SipDriver:
    """Owns the sockets, the user agent and its one timer.

    ``on_event`` is called from the event loop, never from within a command: a command given there cannot meet
    itself half done. The user agent's time is ``clock.monotonic()``, which need not be the loop's.
    """

    def __init__(
        self,
        config: SipConfig,
        on_event: Callable[[UserAgentEvent], None],
        random: RandomBytes,
        clock: Clock,
        counters: Counters,
        credentials: FindCredentials = no_credentials,
        reception: Reception = OPEN_RECEPTION,
        trunks: TrunkDesk | None = None,
    ) -> None:
        self._on_event = on_event
        self._clock = clock
        self._counters = counters
        self._prefer_ipv6 = config.locating.prefer_ipv6
        self.wire = SipWire(
            config.reached_by, config.connections, config.tls_client, self, counters, clock.monotonic
        )
        self._trunks = trunks or TrunkDesk((), config.strangers, counters)
        self.guard = Guard(config.guard, counters, self._banned, self._trunks.rate_of)
        self.wire.turns_away = lambda peer: self.guard.turns_away(peer, self.now)
        self._trunks.on_change = self.guard.forget_trunks
        self.traces = SipTraces(config.ladder, self.wire.local_address, clock.monotonic)
        self.taps = Taps((self.traces, SetUpClock(counters, clock.monotonic)))
        """Who is shown every message."""
        self._load = LoadMeter(config.overload_ms / 1000)
        self._credentials = credentials
        self._reception = reception
        self.agent = UserAgent(self._described(config), random, counters)
        self.on_stun_answer: Callable[[bytes, Address], None] = _nobody_asked
        """Who sends STUN requests of our own, and waits for what answers them."""
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: float | None = None
        self._delivery: asyncio.Handle | None = None
        self._check: asyncio.TimerHandle | None = None
        self.short_of: Callable[[], str] = _nothing
        """What there is too little of for one more call; asked about once a second."""
        self.starvation: Callable[[], float] = _own_starvation
        """Seconds that this process has waited for a processor so far."""
        self.on_check: Callable[[], None] = lambda: None
        """Told after each look at the load, ten times a second."""
        self._starved_s = 0.0
        self._short = ""
        self._checks = 0

    @property
    def now(self) -> float:
        """The user agent's time."""
        return self._clock.monotonic()

    def local_address(self, peer: Address) -> Address:
        """How ``peer`` reaches us, for Via and Contact: as it is advertised."""
        return self.wire.local_address(peer)

    def media_host(self, peer: Address) -> str:
        """Our IP address as ``peer`` should see it: the advertised one where there is one."""
        return self.wire.media_host(peer)

    def own_host(self, peer: Address) -> str:
        """The address of this machine on the way to ``peer``: what a socket can be bound to."""
        return self.wire.own_host(peer)

    def abilities(self) -> Abilities:
        """The transports and families of addresses that a request of ours can take."""
        families = [RecordKind.AAAA if is_v6 else RecordKind.A for is_v6 in self.wire.families()]
        families.sort(key=lambda family: (family is RecordKind.AAAA) is not self._prefer_ipv6)
        return Abilities(self.wire.transports(), tuple(families))

    def open(self) -> Address:
        """Start; LocalError if an address cannot be had. Returns that of the first listener."""
        bound = self.wire.open()
        self._starved_s = self.starvation()
        self._plan_check()
        return bound

    def close(self) -> None:
        """Stop at once. What was to be sent has been handed to the kernel."""
        for handle in (self._timer, self._delivery, self._check):
            if handle is not None:
                handle.cancel()
        self._timer = self._delivery = self._check = None
        self.wire.close()

    def use(self, config: SipConfig) -> None:
        """What of a changed configuration is no socket, from now on."""
        self.guard.use(config.guard)
        self.wire.use(config.reached_by, config.connections, config.tls_client)
        self._load.limit_s = config.overload_ms / 1000
        self.traces.config = config.ladder
        self._prefer_ipv6 = config.locating.prefer_ipv6
        self.agent.use(self._described(config))

    def _described(self, config: SipConfig) -> UserAgentConfig:
        return UserAgentConfig(
            local_address=self.wire.local_address,
            name=config.user_agent,
            stream_above=config.stream_above,
            timers=TimerValues(t1=config.t1_ms / 1000),
            max_calls=config.max_calls,
            max_transactions=config.max_transactions,
            retry_after_s=config.retry_after_s,
            credentials=self._credentials,
            reception=self._reception,
            packages=self._reception.packages,
            limits=config.guard.admission(config.max_transactions),
            peers=self.guard,
            tap=self.taps,
            accept_messages=config.accept_messages,
            sessions=SessionTimerPolicy(config.session_expires_s, config.min_se_s),
            reliable=ReliablePolicy(config.reliable_1xx),
        )

    def admits(self) -> bool:
        """Whether the next INVITE would come through; any thread may ask."""
        return not self.agent.draining and not self._refuses

    @property
    def is_pressed(self) -> bool:
        """Whether there is no time for anything but to refuse."""
        return self._load.overloaded

    def setups(self, most: int) -> int:
        """See :meth:`voicegw.gateway.load_meter.LoadMeter.setups`."""
        return self._load.setups(most)

    @property
    def _refuses(self) -> bool:
        return self._load.overloaded or bool(self._short)

    def snapshot(self) -> SipSnapshot:
        """How we stand now."""
        agent = self.agent
        return SipSnapshot(
            calls=agent.active_calls,
            transactions=agent.transactions,
            half_open=agent.half_open_calls,
            overloaded=self._refuses,
            draining=agent.draining,
            guard=self.guard.snapshot(self.now),
        )

    def pump(self, *, repeats: bool = False) -> None:
        """Take everything out of the user agent; to be called after each command. ``repeats``: a timer sent it."""
        for data, destination in self.agent.datagrams_to_send():
            self.wire.send(data, destination)
            if not repeats and data.startswith(_REFUSALS):
                self.guard.note_answer(int(data[8:11]), destination, self.now)
        if self._delivery is None and self.agent.has_events:
            self._delivery = asyncio.get_running_loop().call_soon(self._deliver)
        self._arm()

    def _arm(self) -> None:
        deadline = self.agent.get_timer()
        if deadline is not None and self._deadline is not None and self._deadline <= deadline:
            return  # the running timer comes first and arms the next: fewer handles for timers that are stopped
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._deadline = deadline
        if deadline is not None:
            delay = max(0.0, deadline - self.now)
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer = self._deadline = None
        self.agent.handle_timer(self.now)
        self.pump(repeats=True)

    def received(self, data: bytes, source: Address) -> None:
        """What a socket brought; see :class:`voicegw.gateway.connections.Receiver`."""
        now = self.now
        if self.wire.denies(source):
            return
        if self._trunks.is_silent and not self._trunks.hears(data, source, known=self.guard.is_known(source)):
            return
        if not self.guard.admits(data, source, now):
            return
        if is_stun(data):
            self._answer_stun(data, source)
            return
        self._look()
        self.agent.receive_datagram(data, source, now)
        if self._delivery is None:
            self._deliver()  # we are called by the event loop, and nothing waits that came before
        else:
            self.pump()

    def _answer_stun(self, data: bytes, source: Address) -> None:
        reply = answer_stun(data, source)
        if reply is not None:
            self._counters.add(SipCounter.STUN)
            self.wire.send(reply, source)
        else:
            self.on_stun_answer(data, source)

    def broken(self, fault: Fault, source: Address) -> None:
        """A stream ends; see :class:`voicegw.gateway.connections.Receiver`."""
        if fault.head and self.guard.admits(fault.head, source, self.now):
            self.agent.receive_broken(fault.head, fault.status, source)
            self.pump()

    def _look(self) -> None:
        """Check the load before a message is taken that came while the loop stood still."""
        check = self._check
        if check is not None and self._load.is_due(asyncio.get_running_loop().time() - check.when()):
            check.cancel()
            self._check_load(check.when())

    def _plan_check(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + CHECK_S
        self._check = loop.call_at(due, self._check_load, due)

    def _check_load(self, due: float) -> None:
        """Measure how late we are, and refuse new calls while that is too much."""
        late_s = asyncio.get_running_loop().time() - due
        self._counters.observe("event_loop_lateness_seconds", max(0.0, late_s))
        before = self._refuses
        waited_s, self._starved_s = self._starved_s, self.starvation()
        late = self._load.note(
            self.now, late_s, backlogged=self.wire.take_backlog(), starved_s=self._starved_s - waited_s
        )
        self._checks += 1
        if self._checks % _RESOURCE_CHECKS == 1:
            self._short = self.short_of()
        if self._refuses is not before:
            why = self._short or ("messages wait too long" if late else "")
            log.warning("overloaded: new calls are refused: %s" if why else "calls are taken again%s", why)
            self.agent.set_overloaded(self._refuses)
        self._plan_check()
        self.on_check()

    def failed(self, destination: Address) -> None:
        """What was sent there did not arrive; see :class:`voicegw.gateway.connections.Receiver`."""
        self.wire.forget_addresses()
        self.agent.transport_failed(destination, self.now)
        self.pump()

    def _banned(self, ban: Ban) -> None:
        log.warning("a SIP source is ignored", extra={"source": ban.host, "reason": ban.reason.value})
        self.wire.connections.close_from(ban.host)

    def _deliver(self) -> None:
        self._delivery = None
        try:
            while (event := self.agent.next_event()) is not None:
                self._on_event(event)
        finally:
            self.pump()


def _nobody_asked(_data: bytes, _source: Address) -> None:
    """A STUN answer to nothing."""


def _own_starvation() -> float:
    return starved_s(os.getpid())


def _nothing() -> str:
    return ""
