"""An order to capture a call of another node is carried out there; its file stays there, and all can find it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.api.rig import FakeCaptures
from tests.unit.cluster.house import Member
from voicegw.api.captures import Keeper, StartCapture
from voicegw.api.control import NoSuchCall, Refused
from voicegw.base.ids import CallId
from voicegw.cluster.memory import MemoryHouse
from voicegw.cluster.messages import Answered
from voicegw.server_cluster_captures import CAPTURE, CapturesHere, ClusterCaptures, carry_out_capture
from voicegw.storage.node_files import NodeFiles
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import run_by, settle

THERE, HERE = CallId("there"), CallId("here")
ORDER = StartCapture("ada", False, 60.0, 10.0)


class Carrier(Member):
    """A node that captures."""

    here: CapturesHere | None = None

    async def asked(self, what: str, body: bytes) -> Answered:
        assert what == CAPTURE
        return await carry_out_capture(self.here, body)


class World:
    """Somebody asks at a; one call is at a, one at b."""

    def __init__(self, clock: ManualClock, work: Path) -> None:
        house = MemoryHouse(clock.monotonic)
        self.a, self.b = Carrier(house, clock, "a"), Carrier(house, clock, "b")
        self.here, self.there, self.work = FakeCaptures(), FakeCaptures(), work
        files = NodeFiles(spool=work, recordings=work, logs=None, tools=None, remove=Path.unlink)
        self.b.here = CapturesHere(self.there, files)
        self.captures = ClusterCaptures(self.here, self.a.node)


def run(scenario: Callable[[World], Awaitable[None]], work: Path) -> None:
    clock = ManualClock()

    async def whole() -> None:
        world = World(clock, work)
        for member in (world.a, world.b):
            await member.node.start()
        await settle()
        clock.advance(1.0)
        await settle()
        world.a.calls(HERE)
        world.b.calls(THERE)
        await settle()
        await scenario(world)
        for member in (world.a, world.b):
            await member.node.close()

    run_by(clock, whole())


def test_an_order_arrives_where_the_call_is_and_its_refusal_comes_back(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        for call_id in (HERE, THERE):
            await world.captures.start(call_id, ORDER)
            await world.captures.stop(call_id, "ada")
        assert world.here.done == [("start", HERE, "ada", "False"), ("stop", HERE, "ada")]
        assert world.there.done == [("start", THERE, "ada", "False"), ("stop", THERE, "ada")]
        world.there.refuses = "4 calls are being captured"
        with pytest.raises(Refused, match="4 calls"):
            await world.captures.start(THERE, ORDER)
        world.b.here = None
        with pytest.raises(Refused, match="captures nothing"):
            await world.captures.stop(THERE, "ada")

    run(scenario, tmp_path)


def test_the_node_that_has_the_file_is_found(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        assert await world.captures.keeper(THERE) is None
        (world.work / "there-1-heads.pcap").write_bytes(b"packets")
        assert await world.captures.keeper(THERE) == Keeper("b", "")
        assert await world.captures.keeper(HERE) is None

    run(scenario, tmp_path)


def test_what_is_no_order_is_refused(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        for body in (b"", b"{}", b'{"do": "dance", "call_id": "x"}'):
            answer = await carry_out_capture(world.b.here, body)
            assert answer.text == "this node has another version and does not know the order"
        with pytest.raises(NoSuchCall):
            world.b.here = CapturesHere(_Gone(), world.b.here.files) if world.b.here else None
            await world.captures.start(THERE, ORDER)

    run(scenario, tmp_path)


class _Gone(FakeCaptures):
    async def start(self, call_id: CallId, order: StartCapture) -> None:
        raise NoSuchCall(call_id)
