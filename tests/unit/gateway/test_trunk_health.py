"""Trunks that answer and trunks that do not."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.trunk_health import HEALTH, Health, HealthInput, HealthMachine, HealthPlan, TrunkHealth
from voicegw.gateway.way import Way
from voicegw.sip.message import Request

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN


def test_every_pair_has_a_row() -> None:
    assert all(HEALTH.accepts(state, happened) for state, happened in itertools.product(Health, HealthInput))


@pytest.mark.parametrize(
    ("pings", "states"),
    [
        ("+", [UP]),
        ("--+", [UNKNOWN, UNKNOWN, UP]),
        ("---+", [UNKNOWN, UNKNOWN, DOWN, DOWN]),
        ("+--+---", [UP, UP, UP, UP, UP, UP, DOWN]),
        ("+---+-++", [UP, UP, UP, DOWN, DOWN, DOWN, DOWN, UP]),
        ("-----", [UNKNOWN, UNKNOWN, DOWN, DOWN, DOWN]),
    ],
)
def test_three_lost_are_down_and_two_answered_are_up_again(pings: str, states: list[Health]) -> None:
    machine = HealthMachine(down_after=3, up_after=2)
    seen = []
    for ping in pings:
        before = machine.state
        assert machine.note(answered=ping == "+") is (machine.state is not before)
        seen.append(machine.state)
    assert seen == states


def test_chance_finds_no_way_round_the_thresholds() -> None:
    draw = random.Random(11)
    for _ in range(200):
        machine, history = HealthMachine(3, 2), ""
        for _ in range(60):
            before = machine.state
            history += draw.choice("+-")
            machine.note(answered=history[-1] == "+")
            if machine.state is DOWN and before is not DOWN:
                assert history.endswith("---")
            if machine.state is UP and before is DOWN:
                assert history.endswith("++")


class Rig:
    """A node that pings two sockets in the test's hand."""

    def __init__(self) -> None:
        self.node = Node(locating=LocatingConfig(attempt_s=0.5))
        self.one, self.two = RawSocket(), RawSocket()
        gateway = self.node.gateway
        self.changes: asyncio.Queue[tuple[str, bool, str]] = asyncio.Queue()
        self.located: list[set[int]] = []
        self.health = TrunkHealth(
            gateway._driver,
            gateway.requests,
            gateway.servers,
            os.urandom,
            self.node.counters,
            lambda name, up, why: self.changes.put_nowait((name, up, why)),
            lambda _name, addresses: self.located.append({address.port for address in addresses}),
        )

    def put(self, **parts: float) -> None:
        hosts = tuple(f"sip:127.0.0.1:{server.port}" for server in (self.one, self.two))
        plan = HealthPlan("sip:carrier.test", "<sip:us@carrier.test>", way=Way(hosts=hosts), **parts)  # type: ignore[arg-type]
        self.health.put_in_force({"carrier": plan})

    async def answer(self, server: RawSocket, status: int) -> None:
        """Answer the next ping; older ones that were given up are passed over."""
        request = await server.receive()
        assert isinstance(request, Request) and request.method == "OPTIONS"
        assert request.uri == "sip:carrier.test"
        copied = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        data = "\r\n".join([f"SIP/2.0 {status} So", *copied, "Content-Length: 0", "", ""])
        await server.send(data.encode(), self.node.address)

    def close(self) -> None:
        self.health.close()
        self.node.gateway.close()
        self.one.close()
        self.two.close()


def rigged(scenario: Callable[[Rig], Awaitable[None]]) -> None:
    async def whole() -> None:
        rig = Rig()
        try:
            await scenario(rig)
        finally:
            rig.close()

    run(whole())


@pytest.mark.parametrize("status", [200, 404, 405, 401, 500])
def test_any_answer_of_any_server_is_a_sign_of_life(status: int) -> None:
    async def scenario(rig: Rig) -> None:
        rig.put()
        assert rig.health.health("carrier") is UNKNOWN
        await rig.answer(rig.two, status)
        assert await rig.changes.get() == ("carrier", True, "")
        (seen,) = rig.health.snapshot()
        assert (seen.health, seen.servers) == (UP, (f"UDP 127.0.0.1:{rig.two.port}",))
        assert 0 <= seen.round_trip_ms < 1000
        assert rig.located == [{rig.one.port, rig.two.port}]
        silent = rig.node.address._replace(port=rig.one.port)
        assert rig.node.gateway.servers.listed == (silent,), "a ping spares the next call the wait"

    rigged(scenario)


def test_silence_takes_a_trunk_down_and_an_answer_brings_it_back() -> None:
    async def scenario(rig: Rig) -> None:
        rig.put(interval_s=0.05, down_after=2)
        assert await rig.changes.get() == ("carrier", False, "no answer to OPTIONS")
        counters = rig.node.counters
        assert counters.get(LocatingCounter.PINGS_UNANSWERED) == 2
        assert rig.health.snapshot()[0].why == "no answer to OPTIONS"
        answering = asyncio.create_task(_answer_all(rig))
        assert await rig.changes.get() == ("carrier", True, "")
        assert (counters.get(LocatingCounter.TRUNK_DOWN), counters.get(LocatingCounter.TRUNK_UP)) == (1, 1)
        answering.cancel()

    rigged(scenario)


async def _answer_all(rig: Rig) -> None:
    while True:
        await rig.answer(rig.one, 200)


def test_a_server_that_drains_takes_no_calls() -> None:
    async def scenario(rig: Rig) -> None:
        rig.put(down_after=1)
        await rig.answer(rig.one, 503)
        await rig.answer(rig.two, 503)
        assert await rig.changes.get() == ("carrier", False, "OPTIONS: 503 So")

    rigged(scenario)


def test_a_trunk_that_is_not_to_be_found_is_down() -> None:
    async def scenario(rig: Rig) -> None:
        plan = HealthPlan("sip:carrier.test;transport=sctp", "<sip:us@carrier.test>", down_after=1)
        rig.health.put_in_force({"carrier": plan})
        name, up, why = await rig.changes.get()
        assert (name, up) == ("carrier", False) and "sctp" in why
        assert rig.health.snapshot()[0].servers == ()
        rig.health.put_in_force({})
        assert rig.health.snapshot() == ()

    rigged(scenario)
