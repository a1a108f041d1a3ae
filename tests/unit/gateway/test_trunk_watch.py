"""What trunks' settings come to between calls, and what the desk is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable

import pytest

from tests.unit.gateway.nodes import RawSocket, run
from voicegw.base.clock import SystemClock
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.gateway.trunk_watch import LOOK_UP_S, Turns, enrolment_of, health_plan_of, instance_of
from voicegw.gateway.way import Way
from voicegw.ports.cluster import Hold
from voicegw.sip.message import Request
from voicegw.sip.uri import SipUri


def trunk(name: str = "carrier", **settings: object) -> Trunk:
    return Trunk(name, TrunkSettings.model_validate(settings), "secret")


def test_the_plan_of_a_registration() -> None:
    one = trunk(
        hosts=["a.carrier.test", "b.carrier.test"],
        domain="carrier.test",
        transport="tcp",
        username="4930",
        register_there=True,
        registration={"expires_s": 600, "retry_s": 5, "contact_user": "+49 30", "outbound": True},
    )
    enrolment = enrolment_of(one, "node1")
    plan = enrolment.plan
    assert (plan.address_of_record, plan.registrar) == ("sip:4930@carrier.test", "sip:carrier.test")
    assert (plan.contact_user, plan.expires_s, plan.retry_s) == ("+49%2030", 600, 5)
    assert plan.instance == instance_of("node1", "carrier") != instance_of("node2", "carrier")
    assert plan.instance.startswith("urn:uuid:")
    assert enrolment.account == "carrier"
    assert enrolment.way.hosts == ("sip:a.carrier.test;transport=tcp", "sip:b.carrier.test;transport=tcp")


def test_any_account_name_makes_a_uri() -> None:
    one = trunk(hosts=["sbc.carrier.test"], username='müller "x" <y>@z', register_there=True)
    plan = enrolment_of(one, "n").plan
    assert plan.address_of_record.startswith("sip:m%C3%BCller%20%22x%22%20%3Cy%3E%40z@")
    assert SipUri.parse(plan.address_of_record).host == "sbc.carrier.test"
    assert health_plan_of(one).from_ == f"<{plan.address_of_record}>"


def test_a_registrar_of_its_own_is_found_by_its_name() -> None:
    settings = {"registrar": "sip:reg.carrier.test"}
    one = trunk(hosts=["sbc.carrier.test"], username="u", register_there=True, registration=settings)
    assert enrolment_of(one, "n").way == Way()
    assert enrolment_of(one, "n").plan.registrar == "sip:reg.carrier.test"
    assert enrolment_of(one, "n").plan.instance == ""


def test_the_plan_of_a_ping() -> None:
    one = trunk(hosts=["192.0.2.1"], port=5080, domain="carrier.test", health={"options_s": 7, "down_after": 2})
    plan = health_plan_of(one)
    assert (plan.target_uri, plan.from_, plan.asks) == ("sip:carrier.test", "<sip:carrier.test>", True)
    assert (plan.interval_s, plan.down_after, plan.way.hosts) == (7, 2, ("sip:192.0.2.1:5080",))
    quiet = health_plan_of(trunk(hosts=["sbc.carrier.test"], health={"options_s": 0}))
    assert (quiet.asks, quiet.interval_s) == (False, LOOK_UP_S)


class Desk(TrunkDesk):
    """Says when it was told something."""

    def __init__(self, trunks: Iterable[Trunk], strangers: str, counters: Counters) -> None:
        super().__init__(trunks, strangers, counters)
        self.told = asyncio.Event()

    def set_up(self, name: str) -> None:
        super().set_up(name)
        self.told.set()

    def set_down(self, name: str, why: str) -> None:
        super().set_down(name, why)
        self.told.set()

    def learn(self, name: str, hosts: Collection[str]) -> None:
        super().learn(name, hosts)
        self.told.set()


class Rig:
    """A gateway with one trunk, whose server is in the test's hand."""

    def __init__(self, **settings: object) -> None:
        self.server = RawSocket()
        self.counters = Counters()
        self.settings = {
            "hosts": ["127.0.0.1"],
            "port": self.server.port,
            "username": "us",
            "carries": ["*"],
            "health": {"options_s": 0},
        } | settings
        self.desk = Desk([trunk(**self.settings)], "open", self.counters)
        config = SipConfig(listen_ip="127.0.0.1", listen_port=0, t1_ms=10, locating=LocatingConfig(attempt_s=0.1))
        self.gateway = SipGateway(
            config,
            lambda _event: None,
            random=os.urandom,
            clock=SystemClock(),
            counters=self.counters,
            trunks=self.desk,
        )
        self.address = self.gateway.start()

    async def asked(self, method: str) -> Request:
        """The next request of this kind."""
        while True:
            message = await self.server.receive()
            if isinstance(message, Request) and message.method == method:
                return message

    async def taken_back(self) -> Request:
        """The REGISTER that ends the binding. On a slow machine one from before comes once more."""
        while (request := await self.asked("REGISTER")).headers.get("Expires") != "0":
            pass
        return request

    async def answer(self, request: Request, status: int, *extra: str) -> None:
        copied = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        data = "\r\n".join([f"SIP/2.0 {status} Because", *copied, *extra, "Content-Length: 0", "", ""])
        await self.server.send(data.encode(), self.address)

    async def registered(self) -> None:
        """Let us register."""
        while not any(one.registered for one in self.gateway.watch.snapshot().registrations):
            await self.answer(await self.asked("REGISTER"), 200)
            await asyncio.sleep(0.01)

    async def until(self, up: bool) -> str:
        """Wait until the desk has the trunk up or down; why it is down."""
        while (state := self.desk.snapshot()[0]).up is not up:
            await self.desk.told.wait()
            self.desk.told.clear()
        return state.why

    def close(self) -> None:
        self.gateway.close()
        self.server.close()


def rigged(scenario: Callable[[Rig], Awaitable[None]], **settings: object) -> None:
    async def whole() -> None:
        rig = Rig(**settings)
        try:
            await scenario(rig)
        finally:
            rig.close()

    run(whole())


def test_a_silent_trunk_carries_no_calls() -> None:
    async def scenario(rig: Rig) -> None:
        assert await rig.until(up=False) == "no answer to OPTIONS"
        with pytest.raises(RouteRefused, match="down: no answer"):
            rig.gateway.dial("x", "tel:+4930", "127.0.0.1", 4000, "sip:us@x")  # type: ignore[arg-type]

    rigged(scenario, health={"options_s": 0.05, "down_after": 1})


def test_a_refused_registration_takes_it_down_and_an_accepted_one_shows_the_way() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.answer(await rig.asked("REGISTER"), 403)
        assert await rig.until(up=False) == "not registered: 403 Because"
        rig.desk.put_in_force([trunk(**rig.settings | {"registration": {"expires_s": 60}})])
        rig.desk.put_in_force([trunk(**rig.settings | {"registration": {"expires_s": 61}})])
        while (request := await rig.asked("REGISTER")).headers.get("Expires") != "61":
            pass
        await rig.answer(request, 200, "Service-Route: <sip:127.0.0.9;lr>")
        await rig.until(up=True)
        assert rig.desk.best("tel:+4930").way == Way(("<sip:127.0.0.9;lr>",))
        rig.desk.put_in_force([trunk(**rig.settings | {"register_there": False})])
        assert rig.desk.best("tel:+4930").way.routes == ()
        assert rig.gateway.watch.snapshot().registrations == ()

    rigged(scenario, register_there=True)


def test_the_addresses_of_names_are_learned() -> None:
    async def scenario(rig: Rig) -> None:
        while not rig.desk.table.of_host("127.0.0.1"):
            await rig.desk.told.wait()
            rig.desk.told.clear()
        assert rig.gateway.watch.snapshot().health[0].status == 0, "nobody was asked"

    rigged(scenario, hosts=["localhost"])


def test_who_leaves_says_so_once() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.answer(await rig.asked("REGISTER"), 200)
        while not rig.gateway.watch.snapshot().registrations[0].registered:
            await rig.desk.told.wait()
            rig.desk.told.clear()
        leaving = asyncio.create_task(rig.gateway.leave())
        await rig.answer(await rig.taken_back(), 200)
        await leaving
        await rig.gateway.leave()

    rigged(scenario, register_there=True)


def test_a_node_that_is_drained_is_not_registered_and_registers_again() -> None:
    """The trunk stays up meanwhile, for transfers of calls that go on; a reload does not register it."""

    async def scenario(rig: Rig) -> None:
        await rig.answer(await rig.asked("REGISTER"), 200)
        while not rig.gateway.watch.snapshot().registrations[0].registered:
            await rig.desk.told.wait()
            rig.desk.told.clear()
        rig.gateway.drain()
        withdrawing = asyncio.create_task(rig.gateway.withdraw())
        await rig.answer(await rig.taken_back(), 200)
        await withdrawing
        rig.desk.put_in_force([trunk(**rig.settings)])
        assert rig.gateway.watch.snapshot().registrations == ()
        assert rig.desk.snapshot()[0].up and not rig.gateway.admits()
        await rig.gateway.resume()
        while (await rig.asked("REGISTER")).headers.get("Expires") != "3600":
            pass  # on a slow machine the last one came twice
        assert rig.gateway.admits()

    rigged(scenario, register_there=True)


def test_only_the_node_that_holds_it_registers_and_one_that_lost_it_takes_it_back() -> None:
    async def scenario(rig: Rig) -> None:
        watch, wanted = rig.gateway.watch, []
        hold = Hold.NONE
        watch.turns = Turns("", lambda _name: hold, wanted.append)
        watch.holds_changed()
        assert wanted == [frozenset({"carrier"})] and watch.snapshot().registrations == ()
        hold = Hold.HELD
        watch.holds_changed()
        await rig.registered()
        hold = Hold.FROZEN
        watch.holds_changed()
        assert [one.registered for one in watch.snapshot().registrations] == [True]
        hold = Hold.NONE
        watch.holds_changed()
        last = await rig.taken_back()
        await rig.answer(last, 200)
        assert watch.snapshot().registrations == () and rig.desk.snapshot()[0].up

    rigged(scenario, register_there=True)


def test_other_turns_begin_when_what_was_registered_is_taken_back() -> None:
    async def scenario(rig: Rig) -> None:
        watch, hold, wanted = rig.gateway.watch, Hold.NONE, []

        def want(names: frozenset[str]) -> None:
            wanted.append(names)
            changed.set()

        changed = asyncio.Event()
        await rig.registered()
        watch.take(Turns("cluster", lambda _name: hold, want))
        assert wanted == [frozenset({"carrier"})] and watch.snapshot().registrations == ()
        last = await rig.taken_back()
        assert instance_of("cluster", "carrier") not in (last.headers.get("Contact") or "")
        hold = Hold.HELD
        watch.holds_changed()
        (waiting,) = watch.snapshot().registrations
        assert waiting.state == "idle", "the one must not undo the other"
        await rig.answer(last, 200)
        while (request := await rig.asked("REGISTER")).headers.get("Expires") == "0":
            pass  # it came twice
        assert instance_of("cluster", "carrier") in (request.headers.get("Contact") or "")
        await rig.registered()
        wanted.clear()
        changed.clear()
        watch.take(Turns())
        last = await rig.taken_back()
        assert wanted == [], "nobody else has its turn before"
        await rig.answer(last, 200)
        await changed.wait()
        assert wanted == [frozenset()]
        await rig.registered()

    rigged(scenario, register_there=True, registration={"outbound": True, "expires_s": 600})


@pytest.mark.parametrize("last", [Hold.NONE, Hold.FROZEN])
def test_what_another_node_has_replaced_is_not_taken_back(last: Hold) -> None:
    """Where the registrar knows instances (RFC 5626 §6) it would be the binding of the new owner. A node that is
    stopped while it is cut off does not know whether there is one."""

    async def scenario(rig: Rig) -> None:
        watch, hold = rig.gateway.watch, Hold.HELD
        watch.turns = Turns("cluster", lambda _name: hold)
        watch.holds_changed()
        while not any(one.registered for one in watch.snapshot().registrations):
            request = await rig.asked("REGISTER")
            await rig.answer(request, 200, "Require: outbound")
            await asyncio.sleep(0.01)
        assert instance_of("cluster", "carrier") in (request.headers.get("Contact") or "")
        hold = last
        watch.holds_changed()
        await watch.close()
        with pytest.raises(BlockingIOError):
            while b"Expires: 0" not in (data := rig.server.socket.recv(65_535)):
                pass
            pytest.fail(data.decode())

    rigged(scenario, register_there=True, registration={"outbound": True, "expires_s": 600})


def test_where_nothing_is_replaced_it_is_taken_back() -> None:
    async def scenario(rig: Rig) -> None:
        watch, hold = rig.gateway.watch, Hold.HELD
        watch.turns = Turns("cluster", lambda _name: hold)
        watch.holds_changed()
        await rig.registered()
        hold = Hold.NONE
        watch.holds_changed()
        last = await rig.taken_back()
        await rig.answer(last, 200)

    rigged(scenario, register_there=True, registration={"outbound": True, "expires_s": 600})
