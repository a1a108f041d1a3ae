"""Asks a trunk what it thinks of us: its servers, OPTIONS, REGISTER. The running server is not touched.

A registration is looked at first (RFC 3261 §10.2.3): that proves the password and shows who is registered, and
changes nothing. Only where nobody is does the test register a Contact of its own, and takes back no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import RandomBytes, token
from voicegw.base.metrics import Counters
from voicegw.gateway import trunk_advice as advice
from voicegw.gateway.located_requests import Delivered, LocatedRequests
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.trunk_advice import Finding, Grade
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_watch import enrolment_of, health_plan_of
from voicegw.sip.address import Address, bracketed
from voicegw.sip.events import OutsideEvent, RequestAnswered
from voicegw.sip.headers import NameAddr
from voicegw.sip.registration import RegisterRequest, Registration, RegistrationPlan
from voicegw.sip.reply import Pairs
from voicegw.sip.uri import SipUri

PATIENCE_S: Final = 4.0
"""For one answer: three repetitions by UDP have gone unheard by then (RFC 3261 §17.1.2.2)."""
BINDING_S: Final = 120
"""How long a Contact of the test lasts, should it not come to take it back."""
_MOST_SERVERS: Final = 4
_QUERY_UNKNOWN: Final = frozenset({400, 405, 421, 423, 500, 501})
"""With these a registrar may mean the REGISTER without a Contact rather than us."""
Tell = Callable[[Finding], None]


class TrunkProbe:
    """``gateway`` is one for this test alone, with ``trunk`` as its only trunk; ``tell`` gets the findings."""

    def __init__(self, gateway: SipGateway, trunk: Trunk, tell: Tell, random: RandomBytes) -> None:
        self._gateway = gateway
        self._trunk = trunk
        self._tell = tell
        self._random = random
        self._plan = health_plan_of(trunk)
        self._located = LocatedRequests(gateway.requests, gateway.servers, Counters())
        self._trouble: dict[Address, Exception] = {}
        self._kept: Registration | None = None
        """Our own binding, for as long as it is to last."""
        self._asked: list[Address] = []
        self._silent: list[Address] = []
        gateway.wire.connections.on_trouble = self._note_trouble
        self.source = ""
        """Our address as the trunk sees it, as far as it says so; else as we see it."""
        self.server = ""
        """The address of a server that answers, else of the first one."""
        self.is_heard = False
        """Whether anything was answered."""

    async def run(self) -> bool:
        """Look at everything but calls; whether a call is worth trying. Some trunks answer nothing but calls."""
        if not self._trunk.domain:
            self._tell(Finding(Grade.WARN, "servers", "no_servers", "it only calls us: there is nobody to ask"))
            return False
        servers = await self._locate()
        if not servers:
            return False
        self.server, self.source = servers[0].host, self._gateway.wire.media_host(servers[0])
        answered = await self._ask_all(servers[:_MOST_SERVERS])
        self.is_heard = bool(answered)
        registered = await self._enrol() if self._trunk.registrar else True
        return registered and (self.is_heard or bool(self._silent))

    def conclude(self, *, called: bool) -> None:
        """Say what the silence of servers means. ``called``: the test call was answered, by a call or a refusal."""
        some_answer = len(self._asked) > len(self._silent)
        for server in self._silent:
            if some_answer:
                self._tell(replace(advice.silence("options", server), grade=Grade.WARN))
            elif self.is_heard or called:
                self._tell(advice.deaf_to_options(server))
            else:
                self._tell(advice.silence("options", server))

    async def leave(self) -> None:
        """Take our own binding back, if there is one."""
        if self._kept is None:
            return
        machine, self._kept = self._kept, None
        if (request := machine.stop()) is not None:
            await self._register(machine, request)

    # ---------------------------------------------------------------- servers

    async def _locate(self) -> list[Address]:
        plan = self._plan
        try:
            servers = await self._gateway.servers.locate(plan.target_uri, plan.way)
        except (LocalError, RemoteProtocolError) as error:
            fix = "check 'hosts' of the trunk and the name servers (sip.locating.dns_servers)"
            self._tell(Finding(Grade.FAIL, "servers", "name_not_found", str(error), fix))
            return []
        text = ", ".join(f"{server.transport.value} {server}" for server in servers)
        self._tell(Finding(Grade.OK, "servers", "ok", text))
        return servers

    async def _ask_all(self, servers: list[Address]) -> list[Address]:
        """OPTIONS to each; those that answered."""
        self._asked = servers
        events = await asyncio.gather(*(self._ask(server) for server in servers))
        answered = []
        for server, event in zip(servers, events, strict=True):
            if isinstance(event, RequestAnswered):
                answered.append(server)
                self.server = self.server if len(answered) > 1 else server.host
                self.source = advice.seen_as(event.response) or self.source
                self._tell(advice.answer(self._trunk, "options", event.response, self.source))
                self._tell_contact(server, advice.seen_as(event.response))
            elif event is not None and event.timed_out and server not in self._trouble:
                self._silent.append(server)
            else:
                self._tell(advice.unsent(server, self._trouble.get(server)))
        return answered

    async def _ask(self, server: Address) -> OutsideEvent | None:
        plan = self._plan
        try:
            return await self._gateway.requests.send(
                "OPTIONS",
                plan.target_uri,
                server,
                from_=plan.from_,
                routes=plan.way.routes,
                account=plan.account,
                patience_s=PATIENCE_S,
            )
        except (LocalError, RemoteProtocolError) as error:
            self._trouble[server._replace(flow=0)] = error
            return None

    def _tell_contact(self, server: Address, seen: str) -> None:
        self._tell(advice.contact(self._gateway.wire.local_address(server).host, seen, server.host))

    def _note_trouble(self, server: Address, error: Exception) -> None:
        self._trouble.setdefault(server, error)

    # ---------------------------------------------------------------- registration

    async def _enrol(self) -> bool:
        """Whether the registrar takes us."""
        looked = await self._query()
        if looked is None:
            return False
        event = looked.event
        if not isinstance(event, RequestAnswered):
            self._tell(self._unanswered(looked))
            return False
        self.is_heard = True
        bindings = bindings_of(event)
        if event.response.status < 300 and bindings:
            routes = event.response.headers.values("Service-Route")
            self._gateway.trunks.serve_by(self._trunk.name, tuple(routes))
            self._tell(Finding(Grade.OK, "register", "ok", f"accepted; registered: {', '.join(bindings)}"))
            self._look_at(bindings, looked.server)
            return True
        if event.response.status < 300 or event.response.status in _QUERY_UNKNOWN:
            return await self._bind()
        self._tell(advice.answer(self._trunk, "register", event.response, self.source))
        return False

    async def _query(self) -> Delivered | None:
        machine = Registration(self._own_plan(), self._random, 0.0)
        return await self._register(machine, machine.request(0.0), is_query=True)

    async def _bind(self) -> bool:
        machine = Registration(self._own_plan(), self._random, 0.0)
        delivered = await self._register(machine, machine.request(0.0))
        if machine.status == 423 and machine.due == 0.0:  # it wants us for longer, and so do we now
            delivered = await self._register(machine, machine.request(0.0))
        if delivered is None:
            return False
        event = delivered.event
        self._kept = machine
        if not isinstance(event, RequestAnswered):
            self._tell(self._unanswered(delivered))
            return False
        found = advice.answer(self._trunk, "register", event.response, self.source)
        if found.grade is Grade.OK:
            self._gateway.trunks.serve_by(self._trunk.name, machine.service_route)
            found = replace(found, text=f"{found.text}: a Contact of the test, for its time only")
        self._tell(found)
        return found.grade is Grade.OK

    async def _register(
        self, machine: Registration, request: RegisterRequest, *, is_query: bool = False
    ) -> Delivered | None:
        def headers(server: Address) -> Pairs:
            return () if is_query else request.headers(self._contact(server))

        try:
            delivered = await self._located.send(
                "REGISTER",
                machine.plan.registrar,
                from_=request.sender,
                to=f"<{machine.plan.address_of_record}>",
                headers=headers,
                dialog=request.dialog,
                account=self._trunk.name,
                way=enrolment_of(self._trunk, "").way,
                patience_s=PATIENCE_S,
            )
        except (LocalError, RemoteProtocolError) as error:
            fix = "check registration.registrar and 'domain' of the trunk"
            self._tell(Finding(Grade.FAIL, "register", "name_not_found", str(error), fix))
            return None
        event = delivered.event
        if isinstance(event, RequestAnswered):
            machine.receive(event.request, event.response, 0.0)
        else:
            machine.receive_failure(event.request, 0.0)
        return delivered

    def _own_plan(self) -> RegistrationPlan:
        """As the server registers, but under a user part that is nobody else's."""
        plan = enrolment_of(self._trunk, "").plan
        return replace(plan, contact_user=f"test-{token(self._random, 8)}", expires_s=BINDING_S, instance="")

    def _contact(self, server: Address) -> SipUri:
        here = self._gateway.wire.local_address(server)
        return SipUri.parse(f"sip:{bracketed(here.host)}:{here.port}{server.transport.uri_parameter}")

    def _unanswered(self, delivered: Delivered) -> Finding:
        server = delivered.server
        if server._replace(flow=0) in self._trouble:
            return advice.unsent(server, self._trouble[server._replace(flow=0)])
        return advice.silence("register", server)

    def _look_at(self, bindings: list[str], server: Address) -> None:
        """Calls come to what is registered, which may be what another machine of ours said of itself."""
        private = [host for host in map(_host_of, bindings) if advice.is_private(host)]
        if private and not advice.is_private(server.host):
            self._tell(advice.contact(private[0], self.source, server.host))


def bindings_of(event: RequestAnswered) -> list[str]:
    """The URIs that a registrar has for our account."""
    found = []
    for value in event.response.headers.values("Contact"):
        try:
            found.append(NameAddr.parse(value).uri)
        except RemoteProtocolError:
            continue
    return found


def _host_of(uri: str) -> str:
    try:
        return SipUri.parse(uri).host
    except RemoteProtocolError:
        return ""
