from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.scenarios.house import (
    FactList,
    FakeAsr,
    FakeSignalling,
    FakeSpeaker,
    FakeWorker,
    ManualClock,
    ScriptedAgent,
)
from voicegw.agents.actions import Gather, Say
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId, LegId
from voicegw.base.metrics import Counters, HistogramState
from voicegw.call import facts as f
from voicegw.call.facts import AnyFact, Entry
from voicegw.dialplan.load import parse_dialplan
from voicegw.gateway.events import LegConfirmed, LegEnded, LegInvited, LegMediaChanged
from voicegw.media import messages as m
from voicegw.runtime.call_manager import CallManager
from voicegw.runtime.dialplan_store import DialplanStore, Installation
from voicegw.runtime.services import CallServices
from voicegw.sdp.negotiate import MediaSession

ROUTES = "routes: [{name: desk, match: {called: desk}, agent: scripted}, {name: rest, reject: no_route}]"


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


class Sink(FactList):
    """Facts of many calls."""

    def __init__(self) -> None:
        super().__init__()
        self.by_call: dict[CallId, list[AnyFact]] = {}

    def append(self, call_id: CallId, entry: Entry) -> None:
        self.by_call.setdefault(call_id, []).append(entry.data)


@dataclass
class Hall:
    """A manager between a fake gateway and a fake worker; calls are real tasks."""

    max_calls: int = 10
    agent: ScriptedAgent = field(default_factory=lambda: ScriptedAgent([[Say("Hello."), Gather()]] * 5))

    def __post_init__(self) -> None:
        self.signalling, self.worker, self.sink = FakeSignalling(), FakeWorker(ManualClock()), Sink()
        self.counters = Counters()
        self.source = ROUTES
        self.store = DialplanStore(self._load)
        seeded = random.Random(1)
        services = CallServices(
            self.signalling,
            self.worker,
            FakeSpeaker(),
            FakeAsr(),
            self.sink,
            {},
            ManualClock(),
            seeded.randbytes,
            self.counters,
            None,
        )
        self.manager = CallManager(services, self.store, self.max_calls)
        self.gone: list[CallId] = []
        self.manager.on_call_ended = self.gone.append

    def _load(self) -> Installation:
        return Installation(parse_dialplan(self.source, "dialplan.yaml", ["scripted"]), {"scripted": self.agent})

    async def invite(self, leg: str, called: str = "desk") -> None:
        self.manager.on_leg_event(LegInvited(LegId(leg), called, "+1555", "", {}, f"{leg}@peer", True))
        await self.settle()

    async def talk(self, leg: str) -> None:
        """Up to the agent's first word."""
        await self.invite(leg)
        self.manager.on_leg_event(LegConfirmed(LegId(leg)))
        await self.settle()

    async def end(self, leg: str) -> None:
        self.manager.on_leg_event(LegEnded(LegId(leg), HangupCause.CALLER_HANGUP))
        await self.settle()
        self.manager.on_media_event(m.LegClosed(LegId(leg), m.LegStats()))
        await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def causes(self) -> list[str]:
        return [facts[-1].cause for facts in self.sink.by_call.values() if isinstance(facts[-1], f.CallHasEnded)]


def test_a_call_lives_from_invite_to_its_record() -> None:
    async def story() -> None:
        hall = Hall()
        await hall.talk("a")
        assert hall.manager.active == 1
        assert len(hall.agent.turns) == 1
        await hall.end("a")
        assert hall.manager.active == 0
        assert hall.causes() == ["caller_hangup"]
        assert len(hall.gone) == 1
        await asyncio.wait_for(hall.manager.wait_idle(), 1)
        assert hall.counters.get("calls_offered") == 1

    play(story())


def test_a_fault_of_ours_leaves_no_call_that_nobody_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be active for ever, and the node never empty."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    async def story() -> None:
        hall = Hall()
        with monkeypatch.context() as faulty:
            faulty.setattr(CallManager, "_route", broken)
            with pytest.raises(ZeroDivisionError):
                await hall.invite("a")
        assert hall.manager.active == 0
        await asyncio.wait_for(hall.manager.wait_idle(), 1)
        await hall.talk("b")
        assert hall.manager.active == 1

    play(story())


def test_a_call_that_no_route_wants_is_refused() -> None:
    async def story() -> None:
        hall = Hall()
        await hall.invite("a", "elsewhere")
        assert hall.signalling.said == ["reject no_route"]
        await hall.end("a")
        assert hall.manager.active == 0

    play(story())


def test_one_call_too_many_is_refused_with_a_brief_record() -> None:
    async def story() -> None:
        hall = Hall(max_calls=1)
        await hall.talk("a")
        await hall.invite("b")
        assert hall.signalling.said[-1] == "reject overloaded"
        assert hall.manager.active == 1
        assert hall.counters.get("calls_refused_full") == 1
        assert [[type(fact).__name__ for fact in facts] for facts in hall.sink.by_call.values()][1:] == [
            ["CallWasOffered", "CallHasEnded"]
        ]
        await hall.end("a")

    play(story())


def test_a_running_call_keeps_its_agents_and_the_next_gets_the_new_ones() -> None:
    async def story() -> None:
        hall = Hall()
        old = hall.agent
        await hall.invite("a")
        hall.agent = ScriptedAgent([[Say("New."), Gather()]])
        assert hall.store.reload() is None
        hall.manager.on_leg_event(LegConfirmed(LegId("a")))
        await hall.settle()
        await hall.talk("b")
        assert (len(old.turns), len(hall.agent.turns)) == (1, 1)
        await hall.end("a")
        await hall.end("b")

    play(story())


def test_a_refused_reload_changes_nothing_for_the_next_call() -> None:
    async def story() -> None:
        hall = Hall()
        hall.source = "routes: [{name: desk, agent: nobody}]"
        assert isinstance(hall.store.reload(), ConfigError)
        await hall.talk("a")
        assert len(hall.agent.turns) == 1
        await hall.end("a")

    play(story())


def test_a_lost_worker_ends_every_call_at_once_and_closes_its_record() -> None:
    async def story() -> None:
        hall = Hall()
        await hall.talk("a")
        await hall.talk("b")
        hall.manager.on_worker_lost(0, "the process ended")
        hall.manager.on_calls_lost(frozenset(hall.sink.by_call), "the process ended")
        await hall.settle()
        assert hall.signalling.said.count("hangup media_lost") == 2
        for leg in ("a", "b"):
            hall.manager.on_leg_event(LegEnded(LegId(leg), HangupCause.MEDIA_LOST))
        await hall.settle()
        assert hall.causes() == ["media_lost", "media_lost"], "nobody waits for what a dead worker would have said"
        assert hall.manager.active == 0
        assert hall.counters.get("media_worker_lost") == 1
        assert hall.counters.get("media_calls_lost") == 2

    play(story())


def test_a_call_whose_media_were_moved_tells_its_peer_and_goes_on() -> None:
    async def story() -> None:
        hall = Hall()
        await hall.talk("a")
        hall.manager.on_worker_lost(0, "the process ended")
        hall.manager.on_media_event(m.LegMoved(LegId("a"), 41000))
        await hall.settle()
        assert hall.signalling.said[-1] == "move a 192.0.2.2:41000"
        (facts,) = hall.sink.by_call.values()
        assert f.MediaHasMoved("caller") in facts
        await hall.end("a")
        assert hall.causes() == ["caller_hangup"]

    play(story())


def test_no_call_is_taken_that_no_worker_has_room_for() -> None:
    async def story() -> None:
        hall = Hall()
        hall.worker.room = False
        await hall.invite("a")
        assert hall.signalling.said == ["reject overloaded"]
        assert hall.counters.get("calls_refused_full") == 1

    play(story())


def test_no_call_is_taken_while_engines_do_not_keep_up() -> None:
    async def story() -> None:
        hall = Hall()
        hall.manager.keeps_up = lambda: False
        await hall.invite("a")
        assert hall.signalling.said == ["reject overloaded"]
        assert (hall.counters.get("calls_refused_behind"), hall.counters.get("calls_refused_full")) == (1, 0)
        assert not hall.manager.has_room

    play(story())


def test_everybody_is_told_goodbye() -> None:
    async def story() -> None:
        hall = Hall()
        await hall.talk("a")
        await hall.invite("ringing")
        hall.manager.part_from_all()
        await hall.settle()
        assert any(isinstance(command, m.QueueAudio) for command in hall.worker.commands)
        assert "hangup draining" in hall.signalling.said, "a call that nobody has spoken on yet just ends"
        await hall.end("a")
        await hall.end("ringing")
        assert hall.manager.active == 0

    play(story())


def test_events_of_calls_that_are_gone_are_dropped() -> None:
    async def story() -> None:
        hall = Hall()
        leg, call = LegId("ghost"), CallId("ghost")
        session = MediaSession("192.0.2.1", 4000, "PCMU", 0, 0, 101, 101)
        for leg_event in (LegConfirmed(leg), LegMediaChanged(leg, session), LegEnded(leg, HangupCause.NO_ACK)):
            hall.manager.on_leg_event(leg_event)
        for media_event in (
            m.DtmfReceived(leg, "1", 100),
            m.LegClosed(leg, m.LegStats()),
            m.RecordingEnded(call, "x.wav", 0, 0),
            m.AudioBatch((m.AudioTapped(call, bytes(320)),)),
        ):
            hall.manager.on_media_event(media_event)
        await hall.settle()
        assert hall.manager.active == 0

    play(story())


def test_the_workers_counters_become_the_nodes() -> None:
    async def story() -> None:
        hall = Hall()
        for malformed in (2, 5):
            hall.manager.on_media_event(m.WorkerReport(1.0, 50, 0, 0.0, 0.1, 0, {"rtp_malformed": malformed}))
        assert hall.counters.get("media_rtp_malformed") == 5

    play(story())


def test_the_workers_histograms_are_added_up_over_restarts() -> None:
    async def story() -> None:
        hall = Hall()

        def report(*counts: int, total: float) -> None:
            histograms = {"media_loss_ratio": HistogramState(counts, total)}
            hall.manager.on_media_event(m.WorkerReport(1.0, 50, 0, 0.0, 0.1, 0, {}, histograms=histograms))

        report(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, total=0.0)
        report(1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, total=0.04)
        hall.manager.on_worker_lost(0, "killed")
        report(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, total=0.75)
        added_up = hall.counters.histograms()["media_loss_ratio"]
        assert added_up.counts == (1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1)
        assert added_up.total == pytest.approx(0.79)

    play(story())
