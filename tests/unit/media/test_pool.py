"""Several media workers as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.media import messages as m
from voicegw.media import pool as pool_module
from voicegw.media.config import MediaConfig
from voicegw.media.pool import MediaPool

IP = "192.0.2.1"


class FakeClient:
    """A worker that does what it is told; :meth:`die` kills it."""

    made: list[FakeClient]

    def __init__(
        self, line: Sequence[str], on_event: Callable[[m.Event], None], on_lost: Callable[[str], None]
    ) -> None:
        self.name, self.on_event, self.on_lost = line[0], on_event, on_lost
        self.command_line = tuple(line)
        self.ready, self.heard_at, self.pid, self.report = True, 0.0, 1, None
        self.commands: list[m.Command] = []
        self.ports = iter(range(40000, 50000, 2))
        self.refuses = False
        self.room = 1000
        FakeClient.made.append(self)

    async def start(self) -> None:
        if self.name == "broken":
            raise LocalError("it did not start")
        if self.name == "slow":
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.commands.append(m.Shutdown())

    def send(self, command: m.Command) -> None:
        self.commands.append(command)

    async def open_leg(self, leg_id: LegId, call_id: CallId, local_ip: str) -> int:
        self.room -= 1
        if self.refuses or self.room < 0:
            raise LocalError("no free port")
        self.commands.append(m.OpenLeg(leg_id, call_id, local_ip))
        return next(self.ports)

    def die(self) -> None:
        self.ready = False
        self.on_lost("the process ended")


class Rig:
    """A pool of fake workers and what it told."""

    def __init__(self, workers: int) -> None:
        FakeClient.made = []
        self.events: list[m.Event] = []
        self.lost_workers: list[int] = []
        self.lost_calls: list[CallId] = []
        self.pool = MediaPool(
            [[f"worker{index}"] for index in range(workers)],
            self.events.append,
            lambda index, _reason: self.lost_workers.append(index),
            lambda calls, _reason: self.lost_calls.extend(calls),
            full_busy=0.8,
            full_late=0.2,
        )
        self.clients = FakeClient.made

    async def talk(self, name: str) -> LegId:
        """A call with one leg, in whichever worker."""
        leg_id = LegId(f"leg-{name}")
        await self.pool.open_leg(leg_id, CallId(name), IP)
        self.pool.send(m.ConfigureLeg(leg_id, "192.0.2.9", 4000, "PCMU", 0))
        return leg_id

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pool_module, "MediaClient", FakeClient)
    yield


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


def test_calls_go_to_the_emptiest_worker_and_all_legs_of_a_call_to_one() -> None:
    async def story() -> None:
        rig = Rig(2)
        for name in ("a", "b", "c"):
            await rig.talk(name)
        await rig.pool.open_leg(LegId("desk"), CallId("a"), IP)
        opened = [[c.leg_id for c in client.commands if isinstance(c, m.OpenLeg)] for client in rig.clients]
        assert opened == [["leg-a", "leg-c", "desk"], ["leg-b"]]
        rig.pool.send(m.SetMix(CallId("b"), ()))
        assert rig.clients[1].commands[-1] == m.SetMix(CallId("b"), ())
        rig.pool.send(m.CloseLeg(LegId("leg-b")))
        rig.clients[1].on_event(m.LegClosed(LegId("leg-b"), m.LegStats()))
        rig.pool.send(m.SetMix(CallId("b"), (("a", "b", 1.0),)))
        assert rig.clients[1].commands[-1] == m.CloseLeg(LegId("leg-b")), "the call is over"

    play(story())


@pytest.mark.parametrize("answered", [False, True])
def test_who_waits_no_longer_for_a_port_leaves_nothing_behind(
    answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller has gone; at the moment the worker answers, too (what Python 3.11's wait_for makes of that is a
    port for nobody)."""

    async def story() -> None:
        rig = Rig(1)
        client, answer = rig.clients[0], asyncio.get_running_loop().create_future()

        async def open_leg(*_: object) -> int:
            port = await answer
            assert isinstance(port, int)
            return port

        monkeypatch.setattr(client, "open_leg", open_leg)
        leg_id = LegId("leg")
        opening = asyncio.create_task(rig.pool.open_leg(leg_id, CallId("a"), IP))
        await rig.settle()
        if answered:
            answer.set_result(40000)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert client.commands == [m.CloseLeg(leg_id)]
        client.on_event(m.LegClosed(leg_id, m.LegStats()) if answered else m.LegFailed(leg_id, "no free port"))
        assert not rig.pool._calls and not rig.pool._by_leg and not rig.pool._workers[0].calls
        client.on_event(m.LegOpened(leg_id, 40000))
        assert client.commands[1:] == [m.CloseLeg(leg_id)]

    play(story())


def test_a_full_worker_gets_a_call_only_where_all_are_full() -> None:
    async def story() -> None:
        rig = Rig(2)
        full = m.WorkerReport(1.0, 13, 0, 0.0, 1.0, 300, {})
        for _ in range(20):
            rig.clients[0].on_event(full)
        assert rig.pool.has_room
        await rig.talk("a")
        await rig.talk("b")
        assert not any(isinstance(c, m.OpenLeg) for c in rig.clients[0].commands)
        for _ in range(20):
            rig.clients[1].on_event(full)
        assert not rig.pool.has_room
        await rig.pool.open_leg(LegId("desk"), CallId("a"), IP)
        assert {event.worker for event in rig.events if isinstance(event, m.WorkerReport)} == {0, 1}

    play(story())


def test_the_calls_of_a_dead_worker_go_on_in_another_one() -> None:
    async def story() -> None:
        rig = Rig(2)
        leg_id = await rig.talk("a")
        other = await rig.talk("b")
        said = m.QueueAudio(CallId("a"), UtteranceId("u"), b"\1\0" * 800, final=True)
        rig.pool.send(said)
        rig.clients[0].die()
        assert rig.lost_workers == [0]
        rig.pool.send(m.PausePlayout(CallId("a")))  # on its way: what is ordered now is not lost
        with pytest.raises(LocalError, match="being moved"):
            await rig.pool.open_leg(LegId("late"), CallId("a"), IP)
        await rig.settle()
        assert rig.events == [m.LegMoved(leg_id, 40002)]
        assert rig.clients[1].commands[2:] == [
            m.OpenLeg(leg_id, CallId("a"), IP),
            m.ConfigureLeg(leg_id, "192.0.2.9", 4000, "PCMU", 0),
            m.PausePlayout(CallId("a")),
            said,
        ]
        assert rig.lost_calls == []
        rig.pool.send(m.CloseLeg(other))
        assert rig.clients[1].commands[-1] == m.CloseLeg(other), "the others did not notice"

    play(story())


def test_a_caller_who_hangs_up_meanwhile_is_not_called_back() -> None:
    async def story() -> None:
        rig = Rig(2)
        leg_id = await rig.talk("a")
        rig.clients[0].die()
        rig.pool.send(m.CloseLeg(leg_id))
        await rig.settle()
        assert rig.events == [m.LegClosed(leg_id, m.LegStats())]
        assert rig.lost_calls == []
        assert rig.clients[1].commands in ([], [m.OpenLeg(leg_id, CallId("a"), IP), m.CloseLeg(leg_id)])

    play(story())


def test_what_cannot_be_moved_is_lost_and_nothing_is_kept_of_it() -> None:
    async def story() -> None:
        rig = Rig(2)
        await rig.talk("a")
        rig.clients[1].refuses = True
        rig.clients[0].die()
        await rig.settle()
        assert rig.lost_calls == [CallId("a")]
        count = len(rig.clients[1].commands)
        rig.pool.send(m.SetMix(CallId("a"), ()))
        assert len(rig.clients[1].commands) == count

    play(story())


def test_half_of_a_call_is_not_left_in_a_worker_that_has_no_room_for_the_whole() -> None:
    async def story() -> None:
        rig = Rig(2)
        leg_id = await rig.talk("a")
        await rig.pool.open_leg(LegId("desk"), CallId("a"), IP)
        rig.clients[1].room = 1
        rig.clients[0].die()
        await rig.settle()
        assert rig.lost_calls == [CallId("a")]
        assert rig.clients[1].commands == [m.OpenLeg(leg_id, CallId("a"), IP), m.CloseLeg(leg_id)]

    play(story())


def test_a_leg_that_opens_when_nobody_waits_for_it_any_more_is_closed() -> None:
    async def story() -> None:
        rig = Rig(1)
        rig.clients[0].refuses = True
        with pytest.raises(LocalError):
            await rig.talk("a")
        rig.clients[0].on_event(m.LegOpened(LegId("leg-a"), 40000))
        assert rig.clients[0].commands == [m.CloseLeg(LegId("leg-a"))]

    play(story())


def test_a_leg_that_cannot_be_opened_leaves_nothing_behind() -> None:
    async def story() -> None:
        rig = Rig(1)
        rig.clients[0].refuses = True
        with pytest.raises(LocalError, match="no free port"):
            await rig.talk("a")
        rig.clients[0].die()
        await rig.settle()
        assert rig.lost_calls == []
        with pytest.raises(LocalError, match="restarted"):
            await rig.talk("b")
        assert not rig.pool.has_room

    play(story())


def test_the_end_is_the_end_of_all() -> None:
    async def story() -> None:
        rig = Rig(3)
        await rig.pool.start()
        await rig.pool.close()
        assert all(client.commands == [m.Shutdown()] for client in rig.clients)
        assert rig.pool.pids == [1, 1, 1]

    play(story())


def test_other_settings_go_to_every_worker_and_to_their_successors() -> None:
    async def story() -> None:
        rig = Rig(2)
        config = MediaConfig(workers=2, jitter_start_ms=60)
        one, two = (
            m.ChangeSettings("debug", "drop", 1, 2, (b"key",), config.of_worker(index)) for index in range(2)
        )
        rig.pool.change([["one", "--debug"], ["two", "--debug"]], [one, two])
        assert [client.commands for client in rig.clients] == [[one], [two]]
        assert [client.command_line for client in rig.clients] == [("one", "--debug"), ("two", "--debug")]
        assert m.decode_command(m.encode(two)) == two
        rig.pool.send(one)
        assert len(rig.clients[0].commands) == 1, "it is of no call"

    play(story())


def test_a_worker_is_full_by_other_limits_from_its_next_report_on() -> None:
    async def story() -> None:
        rig = Rig(1)
        busy = m.WorkerReport(0.0, 50, 0, 0.0, 0.7, 1, {})
        for _ in range(40):
            rig.clients[0].on_event(busy)
        assert rig.pool.has_room
        rig.pool.change_limits(0.5, 0.2)
        rig.clients[0].on_event(busy)
        assert not rig.pool.has_room

    play(story())


def test_other_workers_take_the_calls_to_come_and_those_of_before_end_with_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "_REST_S", 0.0)

    async def story() -> None:
        rig = Rig(2)
        first = await rig.talk("a")
        await rig.pool.prepare([["new"]])
        other = await rig.talk("b")
        rig.pool.renew(0.0)
        old, idle, new = rig.clients
        await rig.talk("c")
        await rig.pool.open_leg(LegId("desk"), CallId("a"), IP)
        opened = [[c.leg_id for c in one.commands if isinstance(c, m.OpenLeg)] for one in rig.clients]
        assert opened == [["leg-a", "desk"], ["leg-b"], ["leg-c"]], "all legs of a call are where it began"
        changed = m.ChangeSettings("debug", "drop", 1, 2, (), MediaConfig(max_legs=8))
        rig.pool.change([["newer"]], [changed])
        assert [one.commands[-1] for one in rig.clients] == [changed] * 3, "running calls hear of it as well"
        assert [one.command_line for one in rig.clients] == [("worker0",), ("worker1",), ("newer",)]
        rig.pool.send(m.StartCapture(CallId("b"), "b-1.pcap", False, False, 1, 1.0))
        idle.on_event(m.LegClosed(other, m.LegStats()))
        old.on_event(m.LegClosed(first, m.LegStats()))
        await rig.settle()
        assert not any(m.Shutdown() in one.commands for one in rig.clients) and len(rig.pool.states()) == 3
        idle.on_event(m.CaptureEnded(CallId("b"), "b-1.pcap", "b-1.pcap", 0, 0, 0, ""))
        old.on_event(m.LegClosed(LegId("desk"), m.LegStats()))
        await asyncio.gather(*rig.pool._retired.values())
        assert [m.Shutdown() in one.commands for one in rig.clients] == [True, True, False]
        assert len(rig.pool.states()) == 1 and rig.pool.has_room
        new.die()
        await rig.settle()
        assert rig.lost_workers == [2], "the tallies of two workers are never one"
        await rig.pool.close()

    play(story())


def test_the_calls_of_a_retired_worker_that_dies_go_on_in_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_REST_S", 0.0)

    async def story() -> None:
        rig = Rig(1)
        leg_id = await rig.talk("a")
        await rig.pool.prepare([["new"]])
        rig.pool.renew(0.0)
        rig.clients[0].die()
        await asyncio.gather(*rig.pool._retired.values())
        assert m.OpenLeg(leg_id, CallId("a"), IP) in rig.clients[1].commands and rig.lost_calls == []
        assert rig.clients[0].commands[-1] == m.Shutdown()
        await rig.pool.close()

    play(story())


def test_workers_that_do_not_come_up_change_nothing_and_unused_ones_are_ended() -> None:
    async def story() -> None:
        rig = Rig(1)
        with pytest.raises(LocalError, match="did not start"):
            await rig.pool.prepare([["good"], ["broken"]])
        rig.pool.renew(0.0)
        await rig.talk("a")
        old, good, _broken = rig.clients
        assert [type(c) for c in old.commands] == [m.OpenLeg, m.ConfigureLeg]
        assert good.commands == [m.Shutdown()]
        await rig.pool.prepare([["unused"]])
        await rig.pool.forget()
        waiting = asyncio.create_task(rig.pool.prepare([["slow"]]))
        await rig.settle()
        waiting.cancel()
        await asyncio.wait((waiting,))
        assert waiting.cancelled() and rig.pool._prepared == []
        await rig.pool.prepare([["at the end"]])
        await rig.pool.close()
        assert [one.commands[-1] for one in rig.clients[3:]] == [m.Shutdown()] * 3

    play(story())
