"""Keeps us registered wherever a trunk says so, and takes the bindings back at the end (RFC 3261 §10.2)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.base.tasks import child_task
from voicegw.gateway.flow_keeper import FlowKeeper
from voicegw.gateway.located_requests import LocatedRequests
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.way import DIRECT, Way
from voicegw.sip.address import Address, bracketed
from voicegw.sip.events import RequestAnswered
from voicegw.sip.registration import RegisterRequest, Registration, RegistrationPlan
from voicegw.sip.reply import Pairs
from voicegw.sip.uri import SipUri

log = logging.getLogger(__name__)

LAST_WORD_S = 2.0
"""How long the end of the process waits for the answers to what takes bindings back."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A registration and the way of its requests. ``account`` names its credentials."""

    plan: RegistrationPlan
    account: str
    way: Way = DIRECT


@dataclass(frozen=True, slots=True)
class RegistrationSnapshot:
    """A registration at this moment, for the API, metrics and people."""

    name: str
    address_of_record: str
    registered: bool
    state: str
    expires_in_s: float
    """Until the binding ends; 0 without one."""
    next_try_in_s: float
    """Until the next REGISTER; 0 while one is out."""
    status: int
    """Of the latest answer; 408 where none came, 0 before the first."""
    reason: str
    failures: int
    """In a row."""
    server: str
    """Where the latest answer came from."""
    service_route: tuple[str, ...]


class _Kept:
    """One registration with the task that keeps it."""

    __slots__ = ("enrolment", "machine", "task", "server", "told", "wake", "thaw")

    def __init__(self, enrolment: Enrolment, machine: Registration) -> None:
        self.enrolment = enrolment
        self.machine = machine
        self.task: asyncio.Task[None] | None = None
        self.server: Address | None = None
        self.told: bool | None = None
        self.wake = asyncio.Event()
        """Set where the next REGISTER is due at once."""
        self.thaw = asyncio.Event()
        self.thaw.set()
        """Not set where nothing may be sent."""


class Registrations:
    """``on_change`` is told, by name, whenever a registration comes to hold or ceases to, with the reason in words;
    also of a first one that fails."""

    def __init__(
        self,
        driver: SipDriver,
        requests: LocatedRequests,
        random: RandomBytes,
        counters: Counters,
        on_change: Callable[[str, bool, str], None] = lambda _name, _holds, _why: None,
    ) -> None:
        self._driver = driver
        self._requests = requests
        self._random = random
        self._counters = counters
        self._on_change = on_change
        self._kept: dict[str, _Kept] = {}
        self._leaving: dict[asyncio.Task[None], str] = {}
        self._flows = FlowKeeper(driver, random, counters, self.refresh)

    def put_in_force(self, enrolments: Mapping[str, Enrolment], taken: Collection[str] = ()) -> None:
        """Register these and nothing else. What stays as it was is left alone; what goes is taken back, but for
        those that another node with our instance has ``taken``, or may have taken while ours was frozen: it would
        be that one's binding by now. A name registers anew when what it had is taken back: the one must not undo
        the other."""
        for name in [name for name, kept in self._kept.items() if enrolments.get(name) != kept.enrolment]:
            self._flows.drop(name)
            kept = self._kept.pop(name)
            may_be_theirs = name in taken or not kept.thaw.is_set()
            replaced = may_be_theirs and kept.machine.flow_timer_s is not None
            leaving = child_task(self._leave(kept, is_replaced=replaced), f"leaving {name}")
            self._leaving[leaving] = name
            leaving.add_done_callback(self._leaving.pop)
        for name, enrolment in enrolments.items():
            if name not in self._kept:
                kept = _Kept(enrolment, Registration(enrolment.plan, self._random, self._driver.now))
                self._kept[name] = kept
                before = [task for task, leaver in self._leaving.items() if leaver == name]
                kept.task = child_task(self._keep(name, kept, before), f"registration at {name}")

    def freeze(self, names: Collection[str]) -> None:
        """Send nothing more for these, and nothing to undo what is; the others go on."""
        for name, kept in self._kept.items():
            if name in names:
                kept.thaw.clear()
            else:
                kept.thaw.set()

    def refresh(self, name: str) -> None:
        """Register again at once: the registrar may have forgotten us, or cannot reach us any more."""
        kept = self._kept.get(name)
        if kept is not None:
            kept.wake.set()

    def is_registered(self, name: str) -> bool:
        """Whether this registration holds now."""
        kept = self._kept.get(name)
        return kept is not None and kept.machine.is_registered(self._driver.now)

    def routes(self, name: str) -> tuple[str, ...]:
        """The Route values of requests that go by this registration (RFC 3608 §6.1): what the registrar named in
        Service-Route, behind the outbound proxies unless it begins with one of them."""
        kept = self._kept.get(name)
        if kept is None:
            return ()
        named, proxies = kept.machine.service_route, kept.enrolment.way.routes
        return named if not proxies or named[:1] == proxies[:1] else (*proxies, *named)

    def server_of(self, name: str) -> Address | None:
        """The server that took the registration: where calls come from (RFC 3261 §10.2)."""
        kept = self._kept.get(name)
        return None if kept is None else kept.server

    def snapshot(self) -> tuple[RegistrationSnapshot, ...]:
        """All registrations, by name. Any thread may ask."""
        return tuple(self._look(name, kept) for name, kept in sorted(dict(self._kept).items()))

    def stop(self) -> None:
        """Send nothing any more: the sockets are about to close. What was not taken back runs out by itself."""
        for kept in self._kept.values():
            if kept.task is not None:
                kept.task.cancel()
        self._kept.clear()
        self._flows.close()

    async def close(self) -> None:
        """Take every binding back. Ends within :data:`LAST_WORD_S`, answered or not."""
        self.put_in_force({})
        await self.left()

    async def left(self) -> None:
        """Wait for the answers to what takes bindings back, as long as the end of the process would."""
        await _ended(self._leaving)

    # ---------------------------------------------------------------- inside

    async def _keep(self, name: str, kept: _Kept, before: Collection[asyncio.Task[None]]) -> None:
        machine = kept.machine
        await _ended(before)
        while machine.due is not None:
            await self._sleep_until(name, kept, machine.due)
            await kept.thaw.wait()
            kept.wake.clear()
            request = machine.request(self._driver.now)
            await self._send(kept, request, None)
            self._keep_flow(name, kept)
            holds = machine.is_registered(self._driver.now)
            taken = machine.failures == 0
            self._counters.add(LocatingCounter.REGISTERED if taken else LocatingCounter.REGISTRATION_FAILED)
            if not taken and holds:
                log.warning("a registration was not refreshed", extra=self._words(name, machine))
            self._tell(name, kept)

    async def _sleep_until(self, name: str, kept: _Kept, due: float) -> None:
        """Sleep until then, or until woken, but for a moment when the binding ends meanwhile."""
        ends = kept.machine.expires_at
        if ends is not None and self._driver.now < ends < due:
            if await self._woken(kept, ends):
                return
            self._tell(name, kept)
        await self._woken(kept, due)

    async def _woken(self, kept: _Kept, moment: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, moment - self._driver.now)):
                await kept.wake.wait()
        except TimeoutError:
            return False
        return True

    def _keep_flow(self, name: str, kept: _Kept) -> None:
        """Keep-alives, where the registrar reaches us by the flow that we registered by."""
        interval_s = kept.machine.flow_timer_s
        if interval_s is None or kept.server is None or not kept.machine.is_registered(self._driver.now):
            self._flows.drop(name)
        else:
            self._flows.keep(name, kept.server, interval_s)

    async def _send(self, kept: _Kept, request: RegisterRequest, patience_s: float | None) -> None:
        def headers(server: Address) -> Pairs:
            return request.headers(self._contact(server))

        plan, machine = kept.enrolment.plan, kept.machine
        try:
            delivered = await self._requests.send(
                "REGISTER",
                plan.registrar,
                from_=request.sender,
                to=f"<{plan.address_of_record}>",
                headers=headers,
                dialog=request.dialog,
                account=kept.enrolment.account,
                way=kept.enrolment.way,
                patience_s=patience_s,
            )
        except (LocalError, RemoteProtocolError) as error:
            machine.receive_failure(None, self._driver.now, str(error))
            return
        event = delivered.event
        if isinstance(event, RequestAnswered):
            kept.server = delivered.server
            machine.receive(event.request, event.response, self._driver.now)
            if event.response.status < 300:
                self._driver.guard.remember(delivered.server)
        else:
            machine.receive_failure(event.request, self._driver.now)

    async def _leave(self, kept: _Kept, *, is_replaced: bool) -> None:
        if kept.task is not None:
            kept.task.cancel()
            await asyncio.wait((kept.task,))
        request = kept.machine.stop()
        if request is not None and not is_replaced:
            await self._send(kept, request, LAST_WORD_S)

    def _contact(self, server: Address) -> SipUri:
        here = self._driver.local_address(server)
        return SipUri.parse(f"sip:{bracketed(here.host)}:{here.port}{server.transport.uri_parameter}")

    def _tell(self, name: str, kept: _Kept) -> None:
        holds = kept.machine.is_registered(self._driver.now)
        if holds is kept.told:
            return
        kept.told = holds
        words = self._words(name, kept.machine)
        if holds:
            log.info("registered", extra=words)
        else:
            log.warning("not registered: no calls come in by this trunk", extra=words)
        self._on_change(name, holds, "" if holds else f"not registered: {words['answer']}")

    def _words(self, name: str, machine: Registration) -> dict[str, str]:
        answer = f"{machine.status} {machine.reason}".strip() if machine.status else "no answer yet"
        return {"trunk": name, "account": machine.plan.address_of_record, "answer": answer}

    def _look(self, name: str, kept: _Kept) -> RegistrationSnapshot:
        machine, now = kept.machine, self._driver.now
        return RegistrationSnapshot(
            name=name,
            address_of_record=machine.plan.address_of_record,
            registered=machine.is_registered(now),
            state=machine.state.name.lower(),
            expires_in_s=max(0.0, (machine.expires_at or now) - now),
            next_try_in_s=max(0.0, (machine.due or now) - now),
            status=machine.status,
            reason=machine.reason,
            failures=machine.failures,
            server="" if kept.server is None else f"{kept.server.transport.value} {kept.server}",
            service_route=machine.service_route,
        )


async def _ended(leaving: Collection[asyncio.Task[None]]) -> None:
    if leaving:
        await asyncio.wait(leaving, timeout=LAST_WORD_S + 0.5)
