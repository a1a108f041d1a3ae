"""An order for a call of another node is carried out there, and its refusal comes back in its own words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.api.rig import FakeControl
from tests.unit.cluster.house import Member
from voicegw.api.control import Mode, NoSuchCall, Refused, Supervisor, TransferKind
from voicegw.base.ids import CallId
from voicegw.cluster.memory import MemoryHouse
from voicegw.cluster.messages import Answered, Outcome
from voicegw.server_cluster_control import ORDER, ClusterControl, carry_out
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import run_by, settle

THERE, HERE = CallId("there"), CallId("here")
ADA = Supervisor("u1", "ada", "sip:201@10.0.0.7")


class Carrier(Member):
    """A node that carries orders out."""

    control = FakeControl()

    async def asked(self, what: str, body: bytes) -> Answered:
        return await carry_out(self.control, what, body)


class World:
    """Ada is at a; one call is at a, one at b."""

    def __init__(self, clock: ManualClock) -> None:
        house = MemoryHouse(clock.monotonic)
        self.a, self.b = Carrier(house, clock, "a"), Carrier(house, clock, "b")
        self.here, self.there = FakeControl(), FakeControl()
        self.b.control = self.there
        self.control = ClusterControl(self.here, self.a.node)


def run(scenario: Callable[[World], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def whole() -> None:
        world = World(clock)
        for member in (world.a, world.b):
            await member.node.start()
        await settle()
        world.a.calls(HERE)
        world.b.calls(THERE)
        await settle()
        await scenario(world)
        for member in (world.a, world.b):
            await member.node.close()

    run_by(clock, whole())


def test_every_order_arrives_where_the_call_is() -> None:
    async def scenario(world: World) -> None:
        for call_id in (THERE, HERE):
            control = world.control
            await control.supervise(call_id, ADA, Mode.BARGE)
            await control.whisper_text(call_id, ADA, "offer a refund")
            await control.hand_back(call_id, ADA)
            await control.pause_recording(call_id, ADA, True)
            await control.transfer(call_id, ADA, "+4930", TransferKind.ATTENDED)
            await control.approve_tool(call_id, ADA, "key", False)
            await control.end(call_id, ADA)
        done = [tuple(word for word in deed if word != HERE) for deed in world.here.done]
        assert len(done) == 7 and done == [
            tuple(word for word in deed if word != THERE) for deed in world.there.done
        ]
        assert world.there.done[0] == ("supervise", THERE, "ada", ADA.address, Mode.BARGE)

    run(scenario)


def test_refusals_come_back() -> None:
    async def scenario(world: World) -> None:
        world.there.refuses = "somebody else supervises"
        with pytest.raises(Refused, match="somebody else supervises"):
            await world.control.end(THERE, ADA)
        world.there.gone = True
        with pytest.raises(NoSuchCall):
            await world.control.end(THERE, ADA)
        with pytest.raises(Refused, match="node b: connect the browser there"):
            await world.control.supervise(THERE, Supervisor("u1", "ada", "webrtc"), Mode.LISTEN)

    run(scenario)


def test_what_a_node_does_not_know_it_refuses() -> None:
    async def scenario() -> None:
        for control, what, body in (
            (None, ORDER, b""),
            (FakeControl(), "dance", b""),
            (FakeControl(), ORDER, b"{}"),
        ):
            assert (await carry_out(control, what, body)).outcome is Outcome.REFUSED

    asyncio.run(scenario())
