"""Texts are written for the eye and spoken for the ear; the record says in written words what was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.scenarios.house import FakeAsr, House, ScriptedAgent
from voicegw.agents.actions import Gather, Say
from voicegw.agents.lexicon import Lexicons, parse_lexicon
from voicegw.base.metrics import Counters
from voicegw.call.facts import AgentSpoke
from voicegw.runtime.speech import Speech
from voicegw.testing.fakes import FakeTts

TEXT = "The total is $24.50 today. It is due on 3/5/2026."


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


def house(voice: FakeTts) -> House:
    """A call with the real way of speech in front of a voice that gives word marks."""
    agent = ScriptedAgent([[Say(TEXT), Gather()], [Gather()]])
    agent.lexicon = Lexicons(parse_lexicon("words: {total: toe tal}"))
    return House([], agent, Speech(FakeAsr(), [voice], Counters()))


def test_the_voice_gets_words_and_the_record_what_was_written() -> None:
    async def story() -> None:
        voice = FakeTts()
        call = house(voice)
        await call.answer()
        await call.run(8.0)
        assert [request.text for request in voice.requests] == [
            "The toe tal is twenty four dollars and fifty cents today.",
            "It is due on March fifth, twenty twenty six.",
        ]
        (spoke,) = call.facts.of(AgentSpoke)
        assert (spoke.text, spoke.heard, spoke.exact) == (TEXT, TEXT, True)

    play(story())


def test_half_an_amount_was_not_heard() -> None:
    async def story() -> None:
        call = house(FakeTts())
        await call.answer()
        await call.run(1.6)
        await call.caller_says("stop please")
        (spoke,) = call.facts.of(AgentSpoke)
        assert (spoke.heard, spoke.exact, spoke.interrupted) == ("The total is", True, True)

    play(story())
