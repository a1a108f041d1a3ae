"""Caller and target who have to end their talk: both are told why, and then the call ends with its cause."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.house import LEG, House
from tests.scenarios.test_transfers import answered, ended, moving, play
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.call_config import CallConfig
from voicegw.call.edges import AGENT, RECORDED_OUT
from voicegw.call.supervision import SupervisorInput
from voicegw.gateway.events import LegBarred
from voicegw.gateway.tolls.calls import Barred
from voicegw.runtime.house_texts import HouseTexts
from voicegw.runtime.mail import Mail

SPENT = Barred("world", "spend_per_day", "the 5 EUR for 2026-11-23 are spent")
TOO_LONG = Barred("world", "max_call_s", "a call may last 900 s")
WORDS = HouseTexts().of("en-US")
BOSS = LegId("boss")


def last_words(house: House) -> str:
    return house.facts.of(f.AgentSpoke)[-1].heard


@pytest.mark.parametrize(
    ("news", "cause", "words"),
    [
        (lambda leg: LegBarred(leg, SPENT, running=True), "budget_spent", WORDS.too_long),
        (lambda leg: LegBarred(leg, TOO_LONG, running=True), "call_too_long", WORDS.too_long),
        (lambda _leg: e.ShutdownRequested(), "draining", WORDS.draining),
    ],
)
def test_both_sides_are_told_why_they_have_to_end(news: Callable[[LegId], Mail], cause: str, words: str) -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = await answered(house)
        turns = len(house.agent.turns)
        house.call.post(news(leg))
        await house.run(1.0)
        assert house.worker.heard_by(LEG) == {leg, AGENT} == house.worker.heard_by(RECORDED_OUT)
        assert house.worker.heard_by(leg) == {LEG, AGENT}
        assert not any(said.startswith("hangup") for said in house.signalling.said), "nobody is cut off"
        await house.run(11.0)
        assert last_words(house) == words
        assert house.signalling.said[-2:] == [f"hangup {cause}"] * 2, "the caller's leg, and the target's"
        assert len(house.agent.turns) == turns, "the agent is not asked for anything"
        await ended(house, leg, HangupCause.CALLEE_HANGUP)
        await ended(house, LEG, HangupCause[cause.upper()])
        assert house.call.closed

    play(story())


def test_who_is_left_hears_the_words_to_their_end() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = await answered(house)
        house.call.post(LegBarred(leg, SPENT, running=True))
        await house.run(1.0)
        await ended(house, leg, HangupCause.CALLEE_HANGUP)
        assert house.worker.heard_by(LEG) == {AGENT}
        await house.run(11.0)
        assert last_words(house) == WORDS.too_long
        assert house.signalling.said[-1] == "hangup budget_spent"

    play(story())


def test_a_caller_who_goes_takes_the_other_one_with_them() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = await answered(house)
        house.call.post(LegBarred(leg, SPENT, running=True))
        await house.run(1.0)
        await ended(house, LEG, HangupCause.CALLER_HANGUP)
        assert house.signalling.said[-1] == "hangup caller_hangup"
        await ended(house, leg, HangupCause.CALLEE_HANGUP)
        assert house.call.closed

    play(story())


def test_the_longest_talk_of_two_people_ends_with_words_and_never_without_an_end() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = await answered(house)
        house.clock.advance(CallConfig().max_bridged_s)
        await house.run(1.0)
        assert house.worker.heard_by(leg) == {LEG, AGENT}
        house.worker.paused = True  # the media worker plays nothing any more
        await house.run(CallConfig().parting_s)
        assert house.signalling.said[-2:] == ["hangup call_too_long"] * 2

    play(story())


def test_a_supervisor_who_had_the_caller_hears_what_both_are_told() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = await answered(house)
        house.call.post(e.SupervisorOffered(BOSS, "ada", wanted=SupervisorInput.TAKE_OVER))
        await house.settle()
        house.call.post(e.LegConfirmed(BOSS))
        await house.settle()
        assert house.worker.heard_by(LEG) == {BOSS}
        house.call.post(LegBarred(leg, SPENT, running=True))
        await house.run(1.0)
        assert house.worker.heard_by(LEG) == {leg, AGENT}
        assert house.worker.heard_by(BOSS) == {LEG, leg, AGENT}
        await house.run(11.0)
        assert last_words(house) == WORDS.too_long
        assert house.signalling.said[-3:] == ["hangup budget_spent"] * 3

    play(story())
