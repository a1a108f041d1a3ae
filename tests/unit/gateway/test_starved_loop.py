"""A pause of the event loop, and the INVITE that came in it: refused first, if there was no processor."""

from __future__ import annotations

import asyncio

from tests.unit.gateway.nodes import Node, RawSocket, run, sdp, until
from tests.unit.gateway.test_door import CONFIG
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegInvited, LegRefused
from voicegw.sip.message import Response

_PAUSE_S = 1.0
_ENOUGH_S = 100.0
"""More than any part of a pause, however late the machine makes it."""


class House:
    """A gateway on a loop whose time can be made to jump, as it does for one that stood still."""

    def __init__(self) -> None:
        self.node, self.peer = Node(config=CONFIG), RawSocket()
        self._driver = self.node.gateway._driver
        self._starved_s = self._driver._starved_s
        self._driver.starvation = lambda: self._starved_s
        self._jumped_s = 0.0
        loop, really = asyncio.get_running_loop(), asyncio.get_running_loop().time
        loop.time = lambda: really() + self._jumped_s  # type: ignore[method-assign]
        self._calls = 0

    async def call_in_a_pause(self, status: int, starved_s: float) -> None:
        """An INVITE is in the socket, and the loop, when it turns again, is late."""
        self._calls += 1
        call_id = f"call-{self._calls}"
        data = self.peer.request("INVITE", body=sdp(40_000), call_id=f"Call-ID: {call_id}")
        self.peer.socket.sendto(data, self.node.address.place)
        self._starved_s += starved_s
        self._jumped_s += _PAUSE_S
        response = await self.peer.receive()
        while response.headers.get("Call-ID") != call_id:
            response = await self.peer.receive()
        assert isinstance(response, Response) and response.status == status
        assert (response.headers.get("Retry-After") is not None) is (status == 503)

    def close(self) -> None:
        self.node.gateway.close()
        self.peer.socket.close()


def test_what_came_while_there_was_no_processor_is_refused_before_anything_else() -> None:
    async def story() -> None:
        house = House()
        await house.call_in_a_pause(503, _ENOUGH_S)
        assert not house.node.gateway.admits()
        assert house.node.gateway.active_legs == 0
        assert (await house.node.expect(LegRefused)).cause is HangupCause.OVERLOADED, "a record, once it is over"
        await until(house.node.gateway.admits)
        house.close()

    run(story())


def test_what_came_while_the_loop_was_at_work_is_taken() -> None:
    async def story() -> None:
        house = House()
        await house.call_in_a_pause(100, 0.0)
        await house.node.expect(LegInvited)
        house.close()

    run(story())


def test_records_of_what_was_refused_wait_for_a_calm_moment_and_copies_are_not_read() -> None:
    async def story() -> None:
        house = House()
        house.node.gateway._driver._check_load = lambda _due: None  # type: ignore[method-assign]
        house.node.gateway._driver._load.overloaded = True
        house.node.gateway._driver.agent.set_overloaded(True)
        data = [
            house.peer.request("INVITE", body=sdp(40_000), call_id=f"Call-ID: call-{number}") for number in range(3)
        ]
        for one in (*data, data[0]):
            await house.peer.send(one, house.node.address)
            await house.peer.response(503)
        assert house.node.events.empty(), "no time for records"
        house.node.gateway._door.release()
        assert house.node.events.empty()
        house.node.gateway._driver._load.overloaded = False
        house.node.gateway._driver.agent.set_overloaded(False)
        house.node.gateway._driver.agent.drain()
        house.node.gateway._door.release()
        house.node.gateway._driver.agent.resume()
        told = [await house.node.expect(LegRefused) for _ in data]
        assert {event.cause for event in told} == {HangupCause.OVERLOADED}, "as it was then"
        assert all(event.ago_s > 0.0 for event in told)
        await house.peer.send(data[1], house.node.address)
        await house.peer.response(503)
        assert house.node.gateway.active_legs == 0, "whoever was refused is gone: no call for a late copy"
        assert house.node.events.empty()
        house.close()

    run(story())


def test_a_gateway_that_ends_tells_of_all_that_it_has_refused() -> None:
    async def story() -> None:
        house = House()
        driver = house.node.gateway._driver
        driver._load.overloaded = True
        driver.agent.set_overloaded(True)
        await house.peer.send(house.peer.request("INVITE", body=sdp(40_000)), house.node.address)
        await house.peer.response(503)
        house.close()
        assert (await house.node.expect(LegRefused)).cause is HangupCause.OVERLOADED

    run(story())
