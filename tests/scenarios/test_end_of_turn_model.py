"""A call with an end-of-turn model: its word moves the wait, its silence changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.scenarios.house import House
from voicegw.agents.actions import Gather, Hangup, Say
from voicegw.base.errors import ProviderError
from voicegw.call import facts as f
from voicegw.ports.eot import EotCapabilities, EotQuestion


class Oracle:
    """Says what the test wants, or nothing."""

    name = "oracle"
    capabilities = EotCapabilities(text=True, audio=True, sample_rate_hz=8000, audio_ms=100)

    def __init__(self, word: float | None) -> None:
        self.word = word
        self.asked: list[EotQuestion] = []

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def probability(self, question: EotQuestion) -> float:
        self.asked.append(question)
        if self.word is None:
            raise ProviderError("eot", "no opinion", retryable=True)
        return self.word


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


@pytest.mark.parametrize(("word", "waited_ms"), [(1.0, 250), (0.5, 650), (0.0, 1200), (None, 650)])
def test_the_wait_after_a_turn(word: float | None, waited_ms: int) -> None:
    async def story() -> None:
        oracle = Oracle(word)
        house = House([[Say("Where to?"), Gather()], [Say("Goodbye."), Hangup()]], eot=oracle)
        await house.answer()
        await house.run(1.5)
        for _ in range(20):
            house.call.hear(bytes(320))
        await house.caller_starts()
        await house.run(0.5)
        await house.hears("to the station")
        await house.caller_stops()
        (question,) = oracle.asked
        assert (question.text, question.asked, len(question.pcm)) == ("to the station", "Where to?", 1600)
        await house.run(2.5)
        timing = house.facts.of(f.TurnWasTimed)[0]
        assert isinstance(timing, f.TurnWasTimed)
        assert timing.waited_ms == waited_ms
        assert house.counters.get("eot_failed") == (word is None)

    play(story())


def test_a_caller_who_goes_on_makes_the_word_stale() -> None:
    async def story() -> None:
        oracle = Oracle(1.0)
        house = House([[Say("Where to?"), Gather()], [Say("Goodbye."), Hangup()]], eot=oracle)
        await house.answer()
        await house.run(1.5)
        await house.caller_starts()
        await house.run(0.5)
        await house.hears("to the")
        await house.caller_stops()
        await house.caller_starts()
        await house.run(0.5)
        oracle.word = 0.5
        await house.hears("to the station")
        await house.caller_stops()
        await house.run(0.3)
        assert len(house.agent.turns) == 1, "the first word does not end the second silence"
        await house.run(1.5)
        assert house.agent.turns[-1].text == "to the station"

    play(story())
