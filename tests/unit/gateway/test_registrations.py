"""Registrations over real sockets, at a registrar written by hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from tests.unit.gateway.nodes import Node, RawSocket, run
from voicegw.gateway.located_requests import LocatedRequests
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.registrations import Enrolment, Registrations
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.way import Way, loose_route
from voicegw.sip.message import Request
from voicegw.sip.registration import RegistrationPlan


class Rig:
    """A node that registers at a socket in the test's hand."""

    def __init__(self) -> None:
        self.node = Node(t1_ms=10, locating=LocatingConfig(attempt_s=0.2))
        self.registrar = RawSocket()
        self._seen: set[str | None] = set()
        requests = LocatedRequests(self.node.gateway.requests, self.node.gateway.servers, self.node.counters)
        self.changes: asyncio.Queue[tuple[str, bool, str]] = asyncio.Queue()
        self.registrations = Registrations(
            self.node.gateway._driver,
            requests,
            os.urandom,
            self.node.counters,
            lambda name, holds, why: self.changes.put_nowait((name, holds, why)),
        )

    def plan(self, **parts: object) -> RegistrationPlan:
        place = f"sip:127.0.0.1:{self.registrar.port}"
        return RegistrationPlan("sip:us@carrier.test", place, "us", retry_s=0.1, **parts)  # type: ignore[arg-type]

    def put(self, *names: str, way: Way = Way(), **parts: object) -> None:  # noqa: B008 - immutable
        self.registrations.put_in_force({name: Enrolment(self.plan(**parts), name, way) for name in names})

    async def asked(self) -> Request:
        """The next REGISTER; one that comes again, because an answer took longer than T1, is the same."""
        while True:
            message = await self.registrar.receive()
            assert isinstance(message, Request) and message.method == "REGISTER", message
            if (via := message.headers.get("Via")) not in self._seen:
                self._seen.add(via)
                return message

    async def answer(self, request: Request, status: int, *extra: str) -> None:
        copied = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        data = "\r\n".join([f"SIP/2.0 {status} Because", *copied, *extra, "Content-Length: 0", "", ""])
        await self.registrar.send(data.encode(), self.node.address)

    async def leave(self) -> None:
        """Close; the registrar says 200 to what takes the binding back."""
        closing = asyncio.create_task(self.registrations.close())
        last = await self.asked()
        assert last.headers.get("Expires") == "0"
        await self.answer(last, 200)
        await closing

    def close(self) -> None:
        self.node.gateway.close()
        self.registrar.close()


def rigged(scenario: Callable[[Rig], Awaitable[None]]) -> None:
    async def whole() -> None:
        rig = Rig()
        try:
            await scenario(rig)
        finally:
            rig.close()

    run(whole())


def test_registered_seen_and_taken_back() -> None:
    async def scenario(rig: Rig) -> None:
        rig.put("carrier")
        request = await rig.asked()
        here = rig.node.address
        assert request.uri == f"sip:127.0.0.1:{rig.registrar.port}"
        assert request.headers.get("To") == "<sip:us@carrier.test>"
        assert request.headers.get("Contact") == f"<sip:us@{here}>;expires=3600"
        await rig.answer(request, 200, "Service-Route: <sip:edge.test;lr>", "Expires: 900")
        assert await rig.changes.get() == ("carrier", True, "")
        (seen,) = rig.registrations.snapshot()
        assert (seen.name, seen.registered, seen.state, seen.status) == ("carrier", True, "registered", 200)
        assert 890 < seen.expires_in_s <= 900 and 600 < seen.next_try_in_s < 800
        assert seen.server == f"UDP 127.0.0.1:{rig.registrar.port}"
        assert rig.registrations.routes("carrier") == ("<sip:edge.test;lr>",)
        assert rig.registrations.is_registered("carrier")
        assert rig.node.gateway._driver.guard.is_known(here._replace(port=rig.registrar.port))
        await rig.leave()
        assert rig.registrations.snapshot() == ()

    rigged(scenario)


def test_other_settings_of_a_registration_never_undo_it() -> None:
    """Both have the same Contact: what is taken back after the new one is in force would take that one with it."""

    async def scenario(rig: Rig) -> None:
        rig.put("carrier")
        await rig.answer(await rig.asked(), 200)
        await rig.changes.get()
        rig.put("carrier", expires_s=600)
        last = await rig.asked()
        assert last.headers.get("Expires") == "0" and rig.registrations.snapshot()[0].state == "idle"
        await rig.answer(last, 200)
        again = await rig.asked()
        assert again.headers.get("Expires") == "600"
        await rig.answer(again, 200)
        assert await rig.changes.get() == ("carrier", True, "")
        await rig.leave()

    rigged(scenario)


def test_a_refusal_is_told_and_tried_again() -> None:
    async def scenario(rig: Rig) -> None:
        rig.put("carrier")
        await rig.answer(await rig.asked(), 403)
        assert await rig.changes.get() == ("carrier", False, "not registered: 403 Because")
        assert rig.registrations.snapshot()[0].failures == 1
        await rig.answer(await rig.asked(), 423, "Min-Expires: 7200")
        longer = await rig.asked()
        assert longer.headers.get("Expires") == "7200"
        await rig.answer(longer, 200)
        assert await rig.changes.get() == ("carrier", True, "")
        counters = rig.node.counters
        assert counters.get(LocatingCounter.REGISTERED) == 1
        assert counters.get(LocatingCounter.REGISTRATION_FAILED) == 2
        await rig.leave()

    rigged(scenario)


def test_the_end_of_a_binding_is_told() -> None:
    async def scenario(rig: Rig) -> None:
        rig.put("carrier", expires_s=1)
        await rig.answer(await rig.asked(), 200)
        assert await rig.changes.get() == ("carrier", True, "")
        name, holds, _ = await rig.changes.get()
        assert (name, holds) == ("carrier", False)
        await rig.leave()

    rigged(scenario)


def test_a_silent_registrar() -> None:
    async def scenario(rig: Rig) -> None:
        rig.put("carrier")
        await rig.asked()
        assert await rig.changes.get() == ("carrier", False, "not registered: 408 no answer")
        closing = asyncio.create_task(rig.registrations.close())
        while (await rig.asked()).headers.get("Expires") != "0":
            pass
        await closing

    rigged(scenario)


def test_only_what_changed_is_touched() -> None:
    async def scenario(rig: Rig) -> None:
        rig.put("one", "two")
        for _ in range(2):
            await rig.answer(await rig.asked(), 200)
            await rig.changes.get()
        rig.put("one", "three")
        requests = [await rig.asked() for _ in range(2)]
        assert {request.headers.get("Expires") for request in requests} == {"0", "3600"}
        for request in requests:
            await rig.answer(request, 200)
        assert (await rig.changes.get())[:2] == ("three", True)
        assert [seen.name for seen in rig.registrations.snapshot()] == ["one", "three"]

    rigged(scenario)


def test_an_outbound_proxy_is_passed() -> None:
    async def scenario(rig: Rig) -> None:
        proxy = loose_route(f"sip:127.0.0.1:{rig.registrar.port}")
        plan = RegistrationPlan("sip:us@carrier.test", "sip:carrier.invalid", "us")
        rig.registrations.put_in_force({"carrier": Enrolment(plan, "", Way(routes=(proxy,)))})
        request = await rig.asked()
        assert (request.uri, request.headers.get("Route")) == ("sip:carrier.invalid", proxy)
        await rig.answer(request, 200, "Service-Route: <sip:core.test;lr>")
        await rig.changes.get()
        assert rig.registrations.routes("carrier") == (proxy, "<sip:core.test;lr>")
        await rig.leave()

    rigged(scenario)


def test_what_is_frozen_sends_nothing_until_it_thaws() -> None:
    async def scenario(rig: Rig) -> None:
        rig.put("carrier", expires_s=1)
        rig.registrations.freeze({"carrier"})
        rig.registrations.refresh("carrier")
        rig.put("carrier", "other", expires_s=1)
        rig.registrations.freeze({"carrier"})
        await rig.answer(await rig.asked(), 200)
        assert await rig.changes.get() == ("other", True, "")
        rig.registrations.freeze(())
        while True:
            await rig.answer(await rig.asked(), 200)
            if (await rig.changes.get())[0] == "carrier":
                break
        await rig.node.gateway.watch.close()
        rig.registrations.stop()

    rigged(scenario)
