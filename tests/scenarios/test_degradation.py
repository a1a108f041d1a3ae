"""Everything that can fail in a call of an LLM agent, rehearsed: the caller hears a word within three seconds at
every step, the call ends politely, and the record says who served it."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.rehearsal import LONGEST_SILENCE_S, TEXTS, Rehearsal
from tests.unit.agents.talk import FakeHttp
from tests.unit.agents.test_llm_session import FACTS, order_tool
from voicegw.agents.agent import AgentSession
from voicegw.agents.flow_session import FlowSession
from voicegw.agents.ladder_model import LadderModel
from voicegw.agents.load import parse_flow
from voicegw.call import facts as f
from voicegw.ports.tools import ToolRequest, ToolResult
from voicegw.runtime.house_texts import HouseTexts

HOUSE = HouseTexts().of("en-US")
MENU_PROMPT = "Press one for our address or two for somebody at the desk."
LADDER = LadderModel.model_validate(
    {
        "menu": {
            "prompt": MENU_PROMPT,
            "keys": {"1": {"say": "We are at the river."}, "2": {"transfer": "nobody-knows"}},
            "max_misses": 1,
        },
        "message": "We cannot help you now. Goodbye.",
    }
)
MESSAGE_ONLY = LadderModel(message="We cannot help you now. Goodbye.")
SCRIPT = """
name: script
limits: {no_input_ms: 60000}
greeting: This is the script.
steps:
  - ask: {save: sure, type: yes_no, prompt: "Is it about an order?"}
  - hangup: {say: Goodbye from the script.}
"""
ANSWERED = ["We are open from eight to six.", "And on Saturdays until noon."]


def script() -> AgentSession:
    return FlowSession(parse_flow(SCRIPT), FakeHttp(), FACTS)


class HungTool:
    """A tool whose service never answers."""

    async def run(self, request: ToolRequest) -> ToolResult:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


# ---------------------------------------------------------------- language models


def test_nothing_fails() -> None:
    stage = Rehearsal(LADDER)

    async def story() -> None:
        await stage.answer()
        assert await stage.ask("when are you open") < 1.5
        assert stage.heard[1:] == ANSWERED
        assert (stage.moves, stage.second.asked) == ([], 0)

    stage.play(story())


@pytest.mark.parametrize("mode", ["dead", "slow", "hung"])
def test_the_first_model_fails_and_the_second_answers(mode: str) -> None:
    stage = Rehearsal(LADDER)
    stage.first.mode = mode

    async def story() -> None:
        await stage.answer()
        assert await stage.ask("when are you open") < 2.0
        assert stage.heard[1:] == ANSWERED
        assert stage.moves == ["model:second"]

    stage.play(story())


def test_the_first_model_is_back_and_the_record_says_so() -> None:
    stage = Rehearsal(LADDER)
    stage.first.mode = "dead"

    async def story() -> None:
        await stage.answer()
        await stage.ask("when are you open")
        stage.first.mode = "well"
        await stage.ask("and tomorrow")
        assert stage.moves == ["model:second", "model:first"]

    stage.play(story())


@pytest.mark.parametrize("mode", ["torn", "stalled"])
def test_the_first_model_dies_in_mid_answer_and_the_second_goes_on(mode: str) -> None:
    stage = Rehearsal(LADDER)
    stage.first.mode = mode

    async def story() -> None:
        await stage.answer()
        assert await stage.ask("when are you open") <= LONGEST_SILENCE_S
        assert [text for text in stage.heard[1:] if text not in HOUSE.fillers] == [ANSWERED[0], *ANSWERED]
        assert stage.moves == ["model:second"]

    stage.play(story())


@pytest.mark.parametrize("first", ["dead", "hung", "torn"])
@pytest.mark.parametrize("second", ["dead", "hung"])
def test_no_model_answers_and_the_script_takes_over(first: str, second: str) -> None:
    stage = Rehearsal(LADDER, script=script())
    stage.first.mode, stage.second.mode = first, second

    async def story() -> None:
        await stage.answer()
        assert await stage.ask("when are you open") <= LONGEST_SILENCE_S
        assert stage.heard[-3:] == [TEXTS.failed, "This is the script.", "Is it about an order?"]
        assert await stage.ask("yes") <= LONGEST_SILENCE_S
        assert (stage.moves[-1], stage.ended) == ("script", "hangup agent_hangup")
        assert stage.counters.get("ladder_script") == 1

    stage.play(story())


def test_without_a_script_the_keypad_menu_serves_and_then_a_person_is_looked_for() -> None:
    stage = Rehearsal(LADDER)
    stage.first.mode = stage.second.mode = "dead"

    async def story() -> None:
        await stage.answer()
        assert await stage.ask("when are you open") <= LONGEST_SILENCE_S
        assert stage.heard[-2:] == [TEXTS.failed, MENU_PROMPT]
        assert await stage.press("1") <= LONGEST_SILENCE_S
        assert stage.heard[-2:] == ["We are at the river.", MENU_PROMPT]
        assert await stage.press("2") <= LONGEST_SILENCE_S
        assert stage.heard[-1] == LADDER.message, "nobody can take the call: the last words, and a clear end"
        assert stage.ended
        assert stage.moves[0] == "menu"

    stage.play(story())


def test_a_caller_who_presses_nothing_hears_the_last_words() -> None:
    stage = Rehearsal(LADDER, no_input_ms=5000)
    stage.first.mode = stage.second.mode = "dead"

    async def story() -> None:
        await stage.answer()
        await stage.ask("when are you open", 30.0)
        assert stage.heard[-2:] == [MENU_PROMPT, LADDER.message]
        assert (stage.moves, stage.ended) == (["menu", "message"], "hangup providers_down")

    stage.play(story())


def test_with_nothing_configured_the_last_words_come_at_once() -> None:
    stage = Rehearsal(MESSAGE_ONLY)
    stage.first.mode = stage.second.mode = "dead"

    async def story() -> None:
        await stage.answer()
        assert await stage.ask("when are you open") <= LONGEST_SILENCE_S
        assert (stage.heard[-1], stage.ended) == (MESSAGE_ONLY.message, "hangup providers_down")

    stage.play(story())


def test_a_hung_tool_is_bridged_and_the_model_speaks_about_it() -> None:
    stage = Rehearsal(LADDER, order_tool(HungTool(), "Let me look that up."))
    stage.first.mode = "tool"

    async def story() -> None:
        await stage.answer()
        assert await stage.ask("where is my order", 20.0) <= LONGEST_SILENCE_S
        assert stage.heard[1] == "Let me look that up."
        assert stage.heard[2:4] == list(HOUSE.fillers[:2])
        assert stage.heard[-2:] == ANSWERED
        assert stage.counters.get("tool_unknown") == 1

    stage.play(story())


# ---------------------------------------------------------------- speech


@pytest.mark.parametrize("mode", ["dead", "hung"])
def test_the_first_voice_fails_and_the_second_speaks(mode: str) -> None:
    stage = Rehearsal(LADDER)

    async def story() -> None:
        await stage.answer()
        stage.voices[0].mode = mode
        assert await stage.ask("when are you open") <= LONGEST_SILENCE_S
        assert stage.heard[1:] == ANSWERED
        assert stage.counters.get("tts_failed_flite") >= 1

    stage.play(story())


def test_a_voice_that_stops_in_mid_sentence_is_noticed_and_the_rest_is_said() -> None:
    stage = Rehearsal(LADDER)

    async def story() -> None:
        await stage.answer()
        stage.voices[0].mode = "stalled"
        assert await stage.ask("when are you open") <= LONGEST_SILENCE_S
        assert stage.heard[-1] == ANSWERED[1]
        assert stage.counters.get("tts_hung_flite") == 1

    stage.play(story())


@pytest.mark.parametrize("mode", ["dead", "hung"])
def test_every_voice_fails_and_the_caller_still_hears_an_apology_and_a_clear_end(mode: str) -> None:
    stage = Rehearsal(LADDER)

    async def story() -> None:
        await stage.answer()
        for voice in stage.voices:
            voice.mode = mode
        assert await stage.ask("when are you open") <= LONGEST_SILENCE_S + 0.5
        assert stage.heard[-1] == HOUSE.apology
        assert stage.ended == "hangup internal_error"
        assert stage.house.facts.of(f.SpeechHasFailed)

    stage.play(story())


@pytest.mark.parametrize("mode", ["dead", "hung"])
def test_prompts_play_although_every_voice_is_dead(mode: str) -> None:
    stage = Rehearsal(LADDER)
    stage.first.mode = stage.second.mode = "dead"

    async def story() -> None:
        for voice in stage.voices:
            voice.mode = mode
        await stage.answer()
        assert await stage.ask("when are you open") <= LONGEST_SILENCE_S
        assert await stage.press("1") <= LONGEST_SILENCE_S
        assert stage.heard[1:] == [TEXTS.failed, MENU_PROMPT, "We are at the river.", MENU_PROMPT]
        assert stage.counters.get("tts_from_prompts") >= 5

    stage.play(story())


def test_a_dead_recogniser_leads_to_the_menu_and_back_when_it_works_again() -> None:
    stage = Rehearsal(LADDER)

    async def story() -> None:
        await stage.answer()
        stage.asr.dead = True
        assert await stage.ask("when are you open", 8.0) <= LONGEST_SILENCE_S
        assert stage.heard[-2:] == [TEXTS.asr_down, MENU_PROMPT]
        assert await stage.press("1") <= LONGEST_SILENCE_S
        stage.asr.dead = False
        assert await stage.ask("when are you open") <= LONGEST_SILENCE_S
        assert stage.heard[-2:] == ANSWERED
        assert stage.moves == ["menu", "model"]

    stage.play(story())


def test_a_hung_recogniser_is_bridged_and_then_admitted() -> None:
    stage = Rehearsal(LADDER)

    async def story() -> None:
        await stage.answer()
        stage.asr.hung = True
        assert await stage.ask("when are you open", 14.0) <= LONGEST_SILENCE_S
        assert stage.heard[1:] == [HOUSE.fillers[0], TEXTS.asr_down, MENU_PROMPT]
        assert stage.counters.get("asr_hung_fake") == 1

    stage.play(story())


def test_everything_is_dead_at_once() -> None:
    stage = Rehearsal(LADDER, no_input_ms=5000)

    async def story() -> None:
        await stage.answer()
        stage.first.mode = stage.second.mode = "hung"
        stage.asr.hung = True
        for voice in stage.voices:
            voice.mode = "hung"
        assert await stage.ask("is anybody there", 40.0) < 10.0, "between prompts the menu waits for a key"
        assert stage.heard[1:4] == [HOUSE.fillers[0], TEXTS.asr_down, MENU_PROMPT]
        assert stage.heard[-1] == LADDER.message
        assert stage.ended == "hangup providers_down"
        assert stage.moves == ["menu", "message"]

    stage.play(story())
