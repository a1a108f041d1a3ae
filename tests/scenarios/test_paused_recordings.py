"""Recordings that are paused while something is said that nobody may ever hear again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.house import LEG, House
from voicegw.agents.actions import AgentAction, Gather, PauseRecording, Say
from voicegw.base.ids import LegId
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.edges import RECORDED_IN, RECORDED_OUT
from voicegw.media import messages as m
from voicegw.runtime.mail import MediaChanged
from voicegw.runtime.orders import PauseRecording as PauseOrder
from voicegw.runtime.orders import Refused
from voicegw.sdp.negotiate import MediaSession

BOSS = LegId("boss")
ASK = Gather(no_input_ms=30_000)


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def made(replies: list[list[AgentAction]]) -> House:
    return House(replies, recordings=Path("/recordings"))


async def begin(stage: House) -> None:
    await stage.answer()
    await stage.run(2.0)


def test_an_agent_pauses_the_recording_and_the_record_says_when() -> None:
    async def story() -> None:
        replies: list[list[AgentAction]] = [
            [PauseRecording(True), Say("Your card number, please."), ASK],
            [PauseRecording(False), Say("Thank you."), ASK],
        ]
        stage = made(replies)
        await begin(stage)
        assert not stage.worker.heard_by(RECORDED_IN) and not stage.worker.heard_by(RECORDED_OUT)
        await stage.caller_says("four one one one")
        await stage.run(1.0)
        assert stage.worker.heard_by(RECORDED_IN) == {LEG}
        kinds = [type(entry.data) for entry in stage.facts.entries]
        assert kinds.index(f.RecordingWasPaused) < kinds.index(f.RecordingWasResumed)

    play(story())


def test_a_supervisor_pauses_the_recording_and_only_their_own_pause_ends() -> None:
    async def story() -> None:
        stage = made([[Say("Hello."), ASK], [PauseRecording(True), Say("Yes."), ASK]])
        await begin(stage)
        stage.call.ask(PauseOrder("Ada", True))
        await stage.settle()
        assert not stage.worker.heard_by(RECORDED_IN)
        await stage.caller_says("hello")
        await stage.run(1.0)
        stage.call.ask(PauseOrder("Ada", False))
        await stage.settle()
        assert not stage.worker.heard_by(RECORDED_IN), "the agent has its own reason"
        assert [fact.by for fact in stage.facts.of(f.RecordingWasPaused)] == ["Ada", "agent"]  # type: ignore[attr-defined]
        assert [fact.by for fact in stage.facts.of(f.RecordingWasResumed)] == ["Ada"]  # type: ignore[attr-defined]

    play(story())


def test_a_key_of_a_supervisors_phone_pauses_and_goes_on() -> None:
    async def story() -> None:
        stage = made([[Say("Hello."), ASK]])
        await begin(stage)
        stage.call.post(e.SupervisorOffered(BOSS, "Ada"))
        await stage.settle()
        stage.call.post(MediaChanged(BOSS, MediaSession("192.0.2.8", 4000, "PCMU", 0, 0)))
        stage.call.post(e.LegConfirmed(BOSS))
        await stage.run(0.2)
        for paused in (True, False):
            stage.call.post(m.DtmfReceived(BOSS, "6", 100))
            await stage.run(0.1)
            assert stage.worker.heard_by(RECORDED_IN) == (set() if paused else {LEG})
        assert stage.facts.of(f.RecordingWasResumed) == [f.RecordingWasResumed("Ada")]

    play(story())


def test_where_nothing_is_recorded_nothing_can_be_paused() -> None:
    async def story() -> None:
        stage = House([[Say("Hello."), ASK]])
        await stage.answer()
        answer = stage.call.ask(PauseOrder("Ada", True))
        await stage.settle()
        with pytest.raises(Refused, match="nothing is being recorded"):
            answer.result()

    play(story())
