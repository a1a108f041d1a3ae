"""What agents make of transfers that fail, of people who had the caller, and of words that they could not hear."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.unit.agents.talk import Talk
from tests.unit.agents.test_llm_session import CONTEXT, ScriptedModel, session
from voicegw.agents.actions import Gather, Hangup, Transfer
from voicegw.agents.agent import CallerTurn, TurnKind
from voicegw.agents.load import parse_flow
from voicegw.ports.llm import TextDelta

FAILED = CallerTurn(TurnKind.TRANSFER_FAILED, "the line is busy")
BACK = CallerTurn(TurnKind.HANDED_BACK)
SCRIPT = """
name: t
steps:
  - transfer: {target: desk, say: Nobody is there. Goodbye.}
"""
WITH_PLAN_B = """
name: t
steps:
  - transfer: {target: desk, on_failure: message}
  - id: message
    ask: {save: name, type: text, prompt: "Who called?"}
"""
QUESTION = """
name: t
steps:
  - ask: {save: name, type: text, prompt: "Who called?"}
  - say: "Hello {{ name }}."
"""


def test_a_script_without_a_plan_parts_with_its_words() -> None:
    talk = Talk(parse_flow(SCRIPT))
    assert isinstance(talk.last[-1], Transfer)
    assert talk.take(FAILED) == "Nobody is there. Goodbye."
    assert isinstance(talk.last[-1], Hangup)


def test_a_script_with_a_plan_goes_on() -> None:
    talk = Talk(parse_flow(WITH_PLAN_B))
    assert talk.take(FAILED) == "Who called?"
    assert isinstance(talk.last[-1], Gather)


def test_a_script_asks_again_after_a_person_had_the_caller() -> None:
    talk = Talk(parse_flow(QUESTION))
    assert talk.take(BACK) == "Who called?"


def test_a_model_reads_every_note_once_and_before_the_turn() -> None:
    async def story() -> None:
        model = ScriptedModel([TextDelta("Fine.")], [TextDelta("Good.")], [TextDelta("Yes.")])
        agent = session(model)
        noted = replace(CONTEXT, notes=("A supervisor tells you: be brief.",))
        async for _ in agent.reply(CallerTurn(TurnKind.SPEECH, "hello"), noted):
            pass
        more = replace(CONTEXT, notes=(*noted.notes, "The caller said: I am Ada."))
        async for _ in agent.reply(BACK, more):
            pass
        async for _ in agent.reply(FAILED, more):
            pass
        first, second, third = (request.messages[-1].content for request in model.requests)
        assert first.startswith("(A supervisor tells you: be brief.)\n[") and first.endswith("hello")
        assert second.startswith("(The caller said: I am Ada.)\n[") and "given them back" in second
        assert third.startswith("[") and "the line is busy" in third

    asyncio.run(story())
