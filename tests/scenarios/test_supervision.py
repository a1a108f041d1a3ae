"""A supervisor in a call: who hears whom at every step, what the agent learns, and what the record says."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.scenarios.house import LEG, House
from voicegw.agents.actions import AgentAction, DtmfPolicy, Gather, Say
from voicegw.agents.agent import TurnKind
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.edges import AGENT, AGENT_EAR, RECORDED_OUT, ear_of
from voicegw.call.supervision import SupervisorInput as Input
from voicegw.call.transfer_request import TransferKind
from voicegw.media import messages as m
from voicegw.runtime.mail import MediaChanged
from voicegw.runtime.orders import Dismiss, EndCall, MoveCall, Refused, Supervise, WhisperText
from voicegw.sdp.negotiate import MediaSession

BOSS, CHIEF = LegId("boss"), LegId("chief")
URI = "sip:201@192.0.2.8"
SESSION = MediaSession("192.0.2.8", 4000, "PCMU", 0, 0, 101, 101)
ASK: list[AgentAction] = [Say("What else?"), Gather(no_input_ms=60_000)]


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


async def talking() -> House:
    house = House([[Say("Hello."), Gather(no_input_ms=60_000)], ASK, ASK, ASK])
    await house.answer()
    await house.run(1.0)
    return house


async def supervised(mode: Input = Input.LISTEN) -> House:
    """A supervisor has dialled in."""
    house = await talking()
    house.call.post(e.SupervisorOffered(BOSS, "Ada"))
    await house.settle()
    house.call.post(e.LegConfirmed(BOSS))
    await house.settle()
    if mode is not Input.LISTEN:
        house.call.post(e.SupervisorChose(BOSS, mode))
        await house.settle()
    return house


async def speaks(house: House, leg: LegId, text: str) -> None:
    now = house.clock.monotonic()
    house.call.post(m.SpeechStarted(leg, now, now - 0.06, False))
    await house.run(1.0)
    house.asr.text = text
    now = house.clock.monotonic()
    house.call.post(m.SpeechStopped(leg, now, now - 0.2))
    await house.run(1.0)


def modes(house: House) -> list[str]:
    return [fact.mode for fact in house.facts.of(f.SupervisorModeHasChanged)]


def test_a_phone_that_joins_listens() -> None:
    async def story() -> None:
        house = await supervised()
        assert house.worker.heard_by(BOSS) == {LEG, AGENT}
        assert house.worker.heard_by(LEG) == {AGENT}
        assert house.facts.of(f.SupervisorHasJoined) == [f.SupervisorHasJoined("Ada")]
        assert modes(house) == ["listen"]
        await house.caller_says("go on")
        assert house.agent.turns[-1].text == "go on", "nothing changes for caller and agent"

    play(story())


def test_the_keys_of_the_phone_change_the_mode_and_the_callers_keys_do_not() -> None:
    async def story() -> None:
        house = await supervised()
        for key, hears in (("2", {AGENT}), ("3", {AGENT, BOSS}), ("4", {BOSS}), ("5", {AGENT}), ("1", {AGENT})):
            house.call.post(m.DtmfReceived(LEG, "4", 100))
            house.call.post(m.DtmfReceived(BOSS, key, 100))
            await house.run(0.1)
            assert house.worker.heard_by(LEG) == hears == house.worker.heard_by(RECORDED_OUT)
        assert modes(house) == ["listen", "whisper", "barge", "takeover", "listen"]
        effects = [fact.effect_ms for fact in house.facts.of(f.SupervisorModeHasChanged)]
        assert all(0 <= effect <= 200 for effect in effects)
        assert len(house.facts.of(f.KeyWasPressed)) == 5, "the caller's keys only"

    play(story())


def test_a_spoken_whisper_reaches_the_agent_and_nobody_else() -> None:
    async def story() -> None:
        house = await supervised(Input.WHISPER)
        assert house.worker.heard_by(ear_of(BOSS)) == {BOSS}
        assert BOSS not in house.worker.heard_by(LEG) | house.worker.heard_by(AGENT_EAR)
        await speaks(house, BOSS, "offer a refund")
        (fact,) = house.facts.of(f.SupervisorSpoke)
        assert (fact.to, fact.text) == ("agent", "offer a refund")
        await house.caller_says("it is broken")
        assert any("offer a refund" in note for note in house.agent.contexts[-1].notes)
        assert house.agent.turns[-1].text == "it is broken"

    play(story())


def test_a_supervisor_who_only_listens_is_not_written_down() -> None:
    async def story() -> None:
        house = await supervised()
        await speaks(house, BOSS, "what a mess")
        assert not house.facts.of(f.SupervisorSpoke)

    play(story())


def test_take_over_and_hand_back() -> None:
    async def story() -> None:
        house = await supervised(Input.TAKE_OVER)
        assert house.worker.heard_by(LEG) == {BOSS}
        await speaks(house, LEG, "i want my money back")
        await speaks(house, BOSS, "you will get it tomorrow")
        await house.run(65.0)
        assert len(house.agent.turns) == 1, "the agent keeps out of it, also after a long silence"
        house.call.post(m.DtmfReceived(BOSS, "5", 100))
        await house.run(1.0)
        assert house.worker.heard_by(LEG) == {AGENT}
        assert house.agent.turns[-1].kind is TurnKind.HANDED_BACK
        notes = " ".join(house.agent.contexts[-1].notes)
        assert "i want my money back" in notes and "you will get it tomorrow" in notes
        assert [fact.text for fact in house.facts.of(f.CallerSpoke)] == ["i want my money back"]
        await house.caller_says("thanks")
        assert house.agent.turns[-1].text == "thanks"

    play(story())


def test_keys_of_a_caller_whom_somebody_has_taken_over_are_not_for_the_agent() -> None:
    async def story() -> None:
        keys = Gather(dtmf=DtmfPolicy(max_digits=4), no_input_ms=60_000)
        house = House([[Say("Your number?"), keys], [Say("Your number?"), keys], ASK])
        await house.answer()
        await house.run(1.0)
        house.call.post(m.DtmfReceived(LEG, "1", 100))
        house.call.post(e.SupervisorOffered(BOSS, "Ada", wanted=Input.TAKE_OVER))
        await house.settle()
        house.call.post(e.LegConfirmed(BOSS))
        await house.settle()
        for digit in "2345":
            house.call.post(m.DtmfReceived(LEG, digit, 100))
        await house.run(20.0)
        assert len(house.agent.turns) == 1
        house.call.post(m.DtmfReceived(BOSS, "5", 100))
        await house.run(1.0)
        for digit in "6789":
            house.call.post(m.DtmfReceived(LEG, digit, 100))
        await house.settle()
        assert [turn.dtmf for turn in house.agent.turns] == ["", "", "6789"]
        assert len(house.facts.of(f.KeyWasPressed)) == 9

    play(story())


def test_what_the_agent_says_stops_at_once_when_somebody_takes_over() -> None:
    async def story() -> None:
        house = House([[Say("one two three four five six seven eight nine ten."), Gather()], ASK])
        await house.answer()
        house.call.post(e.SupervisorOffered(BOSS, "Ada", wanted=Input.TAKE_OVER))
        await house.run(0.5)
        house.call.post(e.LegConfirmed(BOSS))
        await house.run(0.2)
        (spoke,) = house.facts.of(f.AgentSpoke)
        assert spoke.interrupted and len(spoke.heard) < 30
        assert modes(house) == ["listen", "takeover"]

    play(story())


@pytest.mark.parametrize("mode", [Input.LISTEN, Input.WHISPER, Input.BARGE, Input.TAKE_OVER])
@pytest.mark.parametrize("how", ["hangs up", "falls silent"])
def test_a_supervisor_who_is_lost_leaves_the_caller_with_the_agent(mode: Input, how: str) -> None:
    async def story() -> None:
        house = await supervised(mode)
        if how == "falls silent":
            house.call.post(m.MediaTimedOut(BOSS, 20_000))
            await house.settle()
            assert house.signalling.said[-1] == "hangup no_media"
        house.call.post(e.LegEnded(BOSS, HangupCause.CALLER_HANGUP))
        await house.run(1.0)
        assert house.worker.heard_by(LEG) == {AGENT}
        had = mode is Input.TAKE_OVER
        assert (house.agent.turns[-1].kind is TurnKind.HANDED_BACK) is had
        assert [fact.had_taken_over for fact in house.facts.of(f.SupervisorHasLeft)] == [had]
        await house.caller_says("hello")
        assert house.agent.turns[-1].text == "hello"

    play(story())


def test_the_end_of_the_call_is_the_end_of_the_supervision() -> None:
    async def story() -> None:
        house = await supervised(Input.BARGE)
        await house.hang_up()
        assert house.signalling.said[-1] == "hangup caller_hangup"
        assert not house.call.closed
        house.call.post(e.LegEnded(BOSS, HangupCause.CALLER_HANGUP))
        await house.settle()
        assert house.call.closed

    play(story())


async def joins(house: House, leg_id: LegId, name: str, wanted: Input = Input.LISTEN) -> None:
    house.call.post(e.SupervisorOffered(leg_id, name, wanted=wanted))
    await house.settle()
    house.call.post(e.LegConfirmed(leg_id))
    await house.settle()


def test_several_supervisors_each_have_a_mode_of_their_own() -> None:
    async def story() -> None:
        house = await supervised(Input.WHISPER)
        await joins(house, CHIEF, "Bob", Input.BARGE)
        assert house.worker.heard_by(LEG) == {AGENT, CHIEF} == house.worker.heard_by(RECORDED_OUT)
        assert house.worker.heard_by(BOSS) == {LEG, AGENT, CHIEF}
        assert house.worker.heard_by(CHIEF) == {LEG, AGENT}, "a whisper is for the agent"
        await speaks(house, BOSS, "offer a refund")
        await speaks(house, CHIEF, "good morning")
        said = [(fact.name, fact.to, fact.text) for fact in house.facts.of(f.SupervisorSpoke)]
        assert said == [("Ada", "agent", "offer a refund"), ("Bob", "caller", "good morning")]
        house.call.post(m.DtmfReceived(BOSS, "5", 100))
        await house.run(0.1)
        assert house.worker.heard_by(LEG) == {AGENT, CHIEF}, "a key counts for the phone that it was pressed on"
        house.call.post(e.LegEnded(CHIEF, HangupCause.CALLER_HANGUP))
        await house.settle()
        assert house.worker.heard_by(LEG) == {AGENT} and house.worker.heard_by(BOSS) == {LEG, AGENT}

    play(story())


def test_one_at_a_time_has_the_caller() -> None:
    async def story() -> None:
        house = await supervised(Input.TAKE_OVER)
        await joins(house, CHIEF, "Bob", Input.TAKE_OVER)
        assert house.worker.heard_by(LEG) == {BOSS}, "who came too late listens"
        house.call.post(m.DtmfReceived(CHIEF, "4", 100))
        await house.run(0.1)
        assert house.worker.heard_by(LEG) == {BOSS}
        wish = Supervise("Bob", Input.TAKE_OVER, LegId("unused"), URI)
        assert await refusal(house, house.call.ask(wish)) == "Ada has taken this call over"
        house.call.post(e.SupervisorChose(BOSS, Input.HAND_BACK))
        await house.run(0.1)
        granted = house.call.ask(wish)
        await house.settle()
        assert granted.result() is None and house.worker.heard_by(LEG) == {CHIEF}
        house.call.post(e.LegEnded(CHIEF, HangupCause.CALLER_HANGUP))
        await house.run(0.1)
        assert AGENT in house.worker.heard_by(LEG), "lost: the agent has the caller again"
        assert house.facts.of(f.SupervisorHasLeft) == [f.SupervisorHasLeft("Bob", "caller_hangup", True)]

    play(story())


def test_one_too_many_finds_the_line_busy() -> None:
    async def story() -> None:
        house = await supervised()
        for number in range(3):
            await joins(house, LegId(f"more{number}"), f"More{number}")
        house.call.post(e.SupervisorOffered(LegId("fifth"), "Eve"))
        await house.settle()
        assert house.signalling.said[-1] == "reject busy"
        order = Supervise("Eve", Input.LISTEN, LegId("b"), URI)
        assert "supervise this call already" in await refusal(house, house.call.ask(order))

    play(story())


# ------------------------------------------------------------ orders


async def refusal(house: House, answer: asyncio.Future[None]) -> str:
    await house.settle()
    with pytest.raises(Refused) as refused:
        answer.result()
    return str(refused.value)


def test_an_order_calls_the_phone_and_is_answered_when_it_is_in_force() -> None:
    async def story() -> None:
        house = await talking()
        answer = house.call.ask(Supervise("Ada", Input.TAKE_OVER, BOSS, URI))
        await house.run(1.0)
        assert house.signalling.said[-1] == f"dial {URI}"
        assert not answer.done(), "the phone still rings"
        house.call.post(MediaChanged(BOSS, SESSION))
        await house.settle()
        assert answer.result() is None
        assert house.worker.heard_by(LEG) == {BOSS}
        again = house.call.ask(Supervise("Ada", Input.BARGE, LegId("unused"), URI))
        await house.settle()
        assert again.result() is None and modes(house)[-1] == "barge"
        leaving = house.call.ask(Dismiss("Ada"))
        await house.settle()
        assert house.signalling.said[-1] == "hangup supervision_over"
        house.call.post(e.LegEnded(BOSS, HangupCause.SUPERVISION_OVER))
        await house.settle()
        assert leaving.result() is None

    play(story())


def test_a_phone_that_is_not_answered_is_a_refusal() -> None:
    async def story() -> None:
        house = await talking()
        answer = house.call.ask(Supervise("Ada", Input.LISTEN, BOSS, URI))
        await house.settle()
        house.call.post(e.LegEnded(BOSS, HangupCause.PEER_REJECTED, 486))
        assert "did not take part" in await refusal(house, answer)
        house.signalling.routes = False
        answer = house.call.ask(Supervise("Ada", Input.LISTEN, LegId("again"), URI))
        assert "did not take part" in await refusal(house, answer)
        assert "do not supervise" in await refusal(house, house.call.ask(Dismiss("Ada")))

    play(story())


def test_a_written_whisper_is_known_from_the_next_answer_on() -> None:
    async def story() -> None:
        house = await talking()
        answer = house.call.ask(WhisperText("Ada", "be brief"))
        await house.settle()
        assert answer.result() is None
        await house.caller_says("tell me more")
        assert "be brief" in house.agent.contexts[-1].notes[0]
        assert house.facts.of(f.SupervisorSpoke)[0].text == "be brief"

    play(story())


def test_a_call_is_moved_and_ended_by_order() -> None:
    async def story() -> None:
        house = await talking()
        assert "nobody" in await refusal(house, house.call.ask(MoveCall("Ada", "desk", TransferKind.BRIDGED)))
        answer = house.call.ask(MoveCall("Ada", "sip:desk@192.0.2.7", TransferKind.BRIDGED))
        await house.settle()
        assert answer.result() is None
        assert house.signalling.said[-1] == "dial sip:desk@192.0.2.7"
        ending = house.call.ask(EndCall("Ada"))
        await house.settle()
        assert ending.result() is None
        assert house.signalling.said[-2:] == ["hangup supervisor_ended", "hangup supervisor_ended"]

    play(story())


def test_a_take_over_calls_a_transfer_off() -> None:
    async def story() -> None:
        house = await supervised()
        house.call.ask(MoveCall("Ada", "sip:desk@192.0.2.7", TransferKind.BRIDGED))
        await house.run(1.0)
        target = house.signalling.dialled[-1]
        house.call.post(e.SupervisorChose(BOSS, Input.TAKE_OVER))
        await house.settle()
        assert house.worker.heard_by(LEG) == {BOSS}
        assert house.signalling.said[-1] == "hangup transfer_off"
        house.call.post(e.LegEnded(target, HangupCause.TRANSFER_OFF))
        house.call.post(e.SupervisorChose(BOSS, Input.HAND_BACK))
        await house.run(1.0)
        assert house.worker.heard_by(LEG) == {AGENT}
        assert house.agent.turns[-1].kind is TurnKind.TRANSFER_FAILED

    play(story())


def test_a_whisper_on_a_bridged_call_is_for_the_callee() -> None:
    async def story() -> None:
        house = await supervised()
        house.call.ask(MoveCall("Ada", "sip:desk@192.0.2.7", TransferKind.BRIDGED))
        await house.run(1.0)
        target = house.signalling.dialled[-1]
        house.call.post(MediaChanged(target, SESSION))
        house.call.post(e.SupervisorChose(BOSS, Input.WHISPER))
        await house.settle()
        assert house.worker.heard_by(target) == {LEG, BOSS}
        assert house.worker.heard_by(LEG) == {target}
        assert house.worker.heard_by(BOSS) == {LEG, target}

    play(story())
