"""Replies that are prepared before the caller's turn is over: heard only if it ended with the same words."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from tests.scenarios.house import House
from voicegw.agents.actions import AgentAction, Gather, Hangup, Say
from voicegw.call import facts as f
from voicegw.media import messages as m

ASK = Gather(no_input_ms=60_000)


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


async def answered(*replies: list[AgentAction]) -> House:
    """A caller who has heard the greeting of an agent that takes its time to think."""
    house = House([[Say("Hello."), ASK], *replies])
    house.agent.speculative = True
    await house.answer()
    await house.run(1.0)
    return house


def count(house: House, name: str) -> int:
    return house.counters.snapshot().get(name, 0)


def spoken(house: House) -> list[str]:
    return [fact.heard for fact in house.facts.of(f.AgentSpoke) if isinstance(fact, f.AgentSpoke)]


def queued(house: House) -> int:
    return sum(isinstance(command, m.QueueAudio) for command in house.worker.commands)


def test_a_reply_is_ready_when_the_turn_ends_and_not_heard_before() -> None:
    async def story() -> None:
        house = await answered([Say("Goodbye."), Hangup()])
        before = queued(house)
        await house.caller_starts()
        await house.run(0.8)
        await house.hears("that is all")
        await house.run(0.2)
        await house.caller_pauses()
        assert [turn.text for turn in house.agent.turns] == ["", "that is all"]
        assert queued(house) == before, "nothing is heard before the turn is over"
        await house.run(0.1)
        await house.caller_stops()
        await house.run(0.4)
        assert queued(house) == before
        await house.run(0.1)
        assert queued(house) > before
        timing = house.facts.of(f.TurnWasTimed)[0]
        assert isinstance(timing, f.TurnWasTimed)
        assert timing.speculated
        assert timing.total_ms - timing.waited_ms <= 40
        await house.run(2.0)
        assert spoken(house) == ["Hello.", "Goodbye."]
        assert len(house.agent.turns) == 2, "the agent was asked once"
        assert (count(house, "speculation_started"), count(house, "speculation_committed")) == (1, 1)

    play(story())


def test_the_first_audio_is_made_before_the_turn_ends() -> None:
    async def story() -> None:
        house = await answered([Say("Goodbye."), Hangup()])
        await house.caller_starts()
        await house.run(0.8)
        await house.hears("that is all")
        await house.caller_pauses()
        assert house.speaker.asked[-1] == "Goodbye."
        made = len(house.speaker.asked)
        await house.run(0.1)
        await house.caller_stops()
        house.speaker.dead = True
        await house.run(2.5)
        assert spoken(house) == ["Hello.", "Goodbye."]
        assert len(house.speaker.asked) == made, "it was not made again"

    play(story())


def test_a_caller_who_goes_on_gets_the_answer_to_all_of_it() -> None:
    async def story() -> None:
        house = await answered([Say("Goodbye."), Hangup()])
        await house.caller_starts()
        await house.run(0.5)
        await house.hears("that is all")
        await house.caller_pauses()
        await house.run(0.1)
        await house.caller_stops()
        await house.run(0.2)
        await house.caller_starts()
        await house.run(0.5)
        await house.hears("that is all wrong")
        await house.caller_pauses()
        await house.caller_stops()
        await house.run(1.0)
        assert [turn.text for turn in house.agent.turns] == ["", "that is all wrong"], "the first was forgotten"
        await house.run(1.5)
        assert spoken(house) == ["Hello.", "Goodbye."]
        assert count(house, "speculation_wasted") == 1
        assert count(house, "speculation_wasted_characters") == len("Goodbye.")

    play(story())


def test_another_final_text_is_another_turn() -> None:
    async def story() -> None:
        house = await answered([Say("Goodbye."), Hangup()])
        await house.caller_starts()
        await house.run(0.5)
        await house.hears("that is hall")
        await house.caller_pauses()
        house.asr.text = "that is all"
        await house.run(0.1)
        await house.caller_stops()
        await house.run(1.0)
        assert [turn.text for turn in house.agent.turns] == ["", "that is all"]
        await house.run(1.5)
        assert spoken(house) == ["Hello.", "Goodbye."]

    play(story())


def test_a_caller_who_hangs_up_hears_nothing_of_it() -> None:
    async def story() -> None:
        house = await answered([Say("Goodbye."), Hangup()])
        await house.caller_starts()
        await house.run(0.5)
        await house.hears("that is all")
        await house.caller_pauses()
        before = queued(house)
        await house.hang_up()
        assert spoken(house) == ["Hello."]
        assert queued(house) == before

    play(story())


def test_a_slow_recogniser_is_asked_early_and_hears_the_turn_again_if_it_goes_on() -> None:
    async def story() -> None:
        house = await answered([Say("Goodbye."), Hangup()])
        house.asr.capabilities = replace(house.asr.capabilities, slow_final=True)
        frame = bytes(320)
        await house.caller_starts()
        for _ in range(25):
            house.call.hear(frame)
            await house.run(0.02)
        house.asr.text = "that is"
        await house.caller_stops()
        first = house.asr.stream
        assert first is not None and first.finished
        assert house.agent.turns[-1].text == "that is", "its text came early, and the reply is prepared"
        await house.caller_starts()
        second = house.asr.stream
        assert second is not None and second is not first
        assert len(second.heard) >= len(first.heard) > 0
        house.asr.text = "that is all"
        await house.run(0.3)
        await house.caller_stops()
        await house.run(1.0)
        assert house.agent.turns[-1].text == "that is all"
        await house.run(1.5)
        assert spoken(house) == ["Hello.", "Goodbye."]

    play(story())
