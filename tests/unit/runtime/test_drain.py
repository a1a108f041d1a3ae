"""How a node empties, by a clock of the test: decisions alone, then carried out at a gateway and calls."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.runtime.drain import (
    DRAIN,
    GOODBYE_S,
    HANGUP_S,
    TRANSFER_S,
    Drain,
    DrainConfig,
    DrainInput,
    DrainOrder,
    Emptied,
    Farewell,
    HandOver,
    HandOverCalls,
    NodeState,
    NotDrainable,
    RefuseCalls,
    TakeCalls,
)
from voicegw.runtime.drainer import Drainer
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import let_pass, run_by


def ordered(**order: Any) -> Drain:
    drain = Drain()
    assert drain.order(DrainOrder(**{"deadline_s": 100.0, **order}), 0.0) == [RefuseCalls()]
    return drain


def test_every_state_that_refuses_calls_has_a_way_out() -> None:
    for state, happened in itertools.product(NodeState, DrainInput):
        if DRAIN.accepts(state, happened):
            assert DRAIN.next(state, happened) in NodeState
    assert not DRAIN.accepts(NodeState.HANDING_OVER, DrainInput.UNDONE)
    for state in set(NodeState) - {NodeState.SERVING}:
        assert any(DRAIN.accepts(state, one) for one in (DrainInput.EMPTIED, DrainInput.UNDONE))


def test_calls_that_end_in_time_are_left_alone() -> None:
    drain = ordered(stop=True)
    assert drain.get_timer() == 100.0
    assert drain.handle_timer(2, 99.9) == []
    assert drain.emptied() == [Emptied(stop=True)]
    assert (drain.state, drain.get_timer()) == (NodeState.DRAINED, None)


@pytest.mark.parametrize(
    ("farewell", "steps"),
    [
        (Farewell.GOODBYE, [(HandOver.GOODBYE, GOODBYE_S), (HandOver.HANGUP, HANGUP_S)]),
        (Farewell.HANGUP, [(HandOver.HANGUP, HANGUP_S)]),
        (
            Farewell.TRANSFER,
            [(HandOver.TRANSFER, TRANSFER_S), (HandOver.GOODBYE, GOODBYE_S), (HandOver.HANGUP, HANGUP_S)],
        ),
    ],
)
def test_calls_that_are_left_are_handed_over_more_and_more_firmly(
    farewell: Farewell, steps: list[tuple[HandOver, float]]
) -> None:
    drain, now = ordered(farewell=farewell, transfer_to="elsewhere", stop=True), 100.0
    for step, patience_s in steps:
        assert drain.handle_timer(3, now) == [HandOverCalls(step, "elsewhere")]
        assert drain.state is NodeState.HANDING_OVER
        now += patience_s
    assert drain.handle_timer(3, now) == [Emptied(stop=True, left=3)]
    assert drain.state is NodeState.DRAINED


def test_a_drain_can_be_taken_back_until_calls_are_handed_over() -> None:
    drain = ordered()
    assert drain.undo() == [TakeCalls()] and drain.state is NodeState.SERVING
    assert drain.undo() == []
    drain = ordered()
    drain.handle_timer(1, 100.0)
    with pytest.raises(NotDrainable, match="handed over"):
        drain.undo()
    drain.emptied()
    assert drain.undo() == [TakeCalls()]


def test_the_newest_order_counts() -> None:
    drain = ordered()
    assert drain.order(DrainOrder(5.0, Farewell.HANGUP, stop=True, by="ada"), 50.0) == []
    assert drain.get_timer() == 55.0
    status = drain.status(2, 51.0)
    assert (status.state, status.calls, status.deadline_in_s) == (NodeState.DRAINING, 2, 4.0)
    assert (status.farewell, status.stop, status.by) == ("hangup", True, "ada")
    assert drain.handle_timer(1, 55.0) == [HandOverCalls(HandOver.HANGUP)]


def test_an_order_to_stop_finds_an_empty_node() -> None:
    drain = ordered()
    drain.emptied()
    assert drain.order(DrainOrder(100.0, stop=True), 1.0) == [Emptied(stop=True)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"deadline_s": -1}, "deadline_s is -1"),
        ({"farewell": "kick"}, "farewell cannot be 'kick'"),
        ({"farewell": "transfer"}, "transfer_to is empty"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DrainConfig(**wrong)


# ---------------------------------------------------------------- carried out


class World:
    """A gateway and calls that remember what was asked of them."""

    def __init__(self, clock: ManualClock, calls: int) -> None:
        self.said: list[str] = []
        self.active = calls
        self.accepts = True
        self._empty: Callable[[], None] = lambda: None
        self.counters = Counters()
        self.drainer = Drainer(self, self, clock, self.counters)  # type: ignore[arg-type]

    def drain(self) -> None:
        self.said.append("refuse")

    async def withdraw(self) -> None:
        self.said.append("withdraw")

    async def resume(self) -> None:
        self.said.append("resume")

    def send_all_to(self, target: str) -> None:
        self.said.append(f"send to {target}")

    def part_from_all(self) -> None:
        self.said.append("goodbye")

    def end_all(self) -> None:
        self.said.append("hang up")
        self.end_calls()

    def end_calls(self) -> None:
        self.active = 0
        self._empty()

    async def wait_idle(self) -> None:
        idle = asyncio.Event()
        self._empty = idle.set
        if self.active:
            await idle.wait()


def play(story: Callable[[World, ManualClock], Coroutine[Any, Any, None]], calls: int = 1) -> World:
    clock = ManualClock()
    world = World(clock, calls)
    run_by(clock, story(world, clock))
    return world


def test_a_drain_waits_for_the_deadline_then_parts_then_hangs_up() -> None:
    async def story(world: World, clock: ManualClock) -> None:
        world.drainer.order(DrainOrder(10.0, Farewell.TRANSFER, "night desk", stop=True))
        assert not world.accepts
        await let_pass(clock, 9.9)
        assert world.said == ["refuse", "withdraw"]
        assert world.drainer.gauges() == {"draining": 1.0, "drain_deadline_seconds": pytest.approx(0.1)}
        await let_pass(clock, 0.2)
        assert world.said[2:] == ["send to night desk"]
        await let_pass(clock, TRANSFER_S)
        assert world.said[3:] == ["goodbye"]
        await let_pass(clock, GOODBYE_S)
        assert world.said[4:] == ["hang up"]
        await world.drainer.wait_stop()

    counted = play(story).counters.snapshot()
    assert counted["drain_calls_transfer"] == counted["drain_calls_goodbye"] == counted["drain_calls_hangup"] == 1


def test_a_drain_is_shortened_and_taken_back() -> None:
    async def story(world: World, clock: ManualClock) -> None:
        world.drainer.order(DrainOrder(1000.0))
        await let_pass(clock, 1.0)
        status = await world.drainer.undo("ada")
        assert status.state is NodeState.SERVING and world.accepts
        await let_pass(clock, 2.0)
        assert world.said == ["refuse", "withdraw", "resume"]
        assert world.drainer.gauges() == {"draining": 0.0, "drain_deadline_seconds": 0.0}
        world.drainer.order(DrainOrder(1000.0))
        await let_pass(clock, 1.0)
        world.drainer.order(DrainOrder(1.0, Farewell.HANGUP), final=True)
        with pytest.raises(NotDrainable, match="told to end"):
            await world.drainer.undo("ada")
        await let_pass(clock, 1.1)
        assert world.said[-1] == "hang up"
        assert world.drainer.status().state is NodeState.DRAINED
        await world.drainer.close()

    play(story)


def test_a_process_that_was_told_to_end_does_so_whoever_drains_it_afterwards() -> None:
    """As a hook before the stop that comes after the signal: it may change the deadline, not keep us."""

    async def story(world: World, clock: ManualClock) -> None:
        world.drainer.order(DrainOrder(10.0, stop=True), final=True)
        await let_pass(clock, 1.0)
        status = world.drainer.order(DrainOrder(1000.0))
        assert status.stop and status.deadline_in_s == 1000.0
        world.end_calls()
        await let_pass(clock, 0.1)
        await world.drainer.wait_stop()

    play(story)


def test_a_node_that_is_drained_stays_so_until_it_is_told_otherwise() -> None:
    async def story(world: World, clock: ManualClock) -> None:
        world.drainer.order(DrainOrder(1000.0))
        await let_pass(clock, 0.1)
        world.end_calls()
        await let_pass(clock, 5.0)
        assert world.drainer.status().state is NodeState.DRAINED
        world.drainer.order(DrainOrder(1000.0, stop=True))
        await world.drainer.wait_stop()

    play(story)
