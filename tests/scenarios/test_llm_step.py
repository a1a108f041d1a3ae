"""Whole calls in which a script hands a step to a language model and takes it back."""

from __future__ import annotations

import asyncio
import json

from tests.scenarios.house import CALL, House, OneSession
from tests.scenarios.test_llm_conversation import Step, SteppedModel, spoken
from tests.unit.agents.llm_step import step_session
from voicegw.agents.agent import CallFacts
from voicegw.base.errors import ProviderError
from voicegw.call import facts as f
from voicegw.ports.llm import TextDelta, ToolCallRequested

FOUND = ToolCallRequested("f", "finish_step", json.dumps({"outcome": "found", "day": "2023-11-17"}))


async def at_the_step(*answers: list[Step]) -> tuple[House, SteppedModel]:
    """The caller has told how many guests, and the model has the floor."""
    model = SteppedModel(*answers)
    stage = House([], OneSession(step_session(model, CallFacts(CALL, "demo", "+15550100"))))
    await stage.answer()
    await stage.run(3.0)
    await stage.caller_says("four")
    await stage.run(2.0)
    assert spoken(stage)[-1] == ("Which day suits you?", False)
    return stage, model


def test_the_script_goes_on_in_the_same_breath() -> None:
    async def story() -> None:
        stage, _ = await at_the_step([TextDelta("Lovely."), FOUND])
        await stage.caller_says("next friday")
        await stage.run(5.0)
        assert [text for text, _ in spoken(stage)][-3:] == [
            "Lovely.",
            "Noted, 4 on Friday the seventeenth of November.",
            "Goodbye then.",
        ]
        filled = [(fact.name, fact.value) for fact in stage.facts.of(f.SlotWasFilled)]
        assert filled == [("guests", "4"), ("day", "2023-11-17")]
        assert "hangup agent_hangup" in stage.signalling.said

    asyncio.run(story())


def test_an_interruption_inside_the_step_stays_in_the_step() -> None:
    async def story() -> None:
        long = "We have Monday, Tuesday, Wednesday, Thursday and Friday. And then"
        stage, model = await at_the_step([TextDelta(long), asyncio.Event()], [TextDelta("Noted."), FOUND])
        await stage.caller_says("which days are there")
        await stage.run(1.0)
        await stage.caller_says("friday please")
        await stage.run(1.0)
        assert ("", True) in spoken(stage), "the second piece had just begun"
        assert model.requests[1].messages[-2].content == "We have Monday, Tuesday, …"
        await stage.run(5.0)
        assert spoken(stage)[-1] == ("Goodbye then.", False)

    asyncio.run(story())


def test_a_model_that_dies_in_the_step_leaves_it_to_the_script() -> None:
    async def story() -> None:
        stage, _ = await at_the_step([ProviderError("llm", "gone", retryable=True)])
        await stage.caller_says("next friday")
        await stage.run(2.0)
        assert spoken(stage)[-1] == ("Which day, please?", False)
        assert [fact.to for fact in stage.facts.of(f.ServiceHasMoved)] == ["script"]
        await stage.caller_says("friday")
        await stage.run(5.0)
        assert spoken(stage)[-1] == ("Goodbye then.", False)

    asyncio.run(story())


def test_a_model_that_comes_to_no_end_has_its_turns_counted() -> None:
    async def story() -> None:
        stage, model = await at_the_step(*[[TextDelta("Are you quite sure?")] for _ in range(3)])
        for _ in range(4):
            await stage.caller_says("friday")
            await stage.run(2.0)
        assert len(model.requests) == 3
        assert spoken(stage)[-1] == ("Which day, please?", False)

    asyncio.run(story())
