"""Whole calls in which the language changes: recogniser and voice together, by ear or by the model's own choice."""

from __future__ import annotations

import asyncio

from tests.scenarios.house import CALL, House, OneSession
from tests.scenarios.test_llm_conversation import Step, SteppedModel, spoken
from tests.unit.agents.test_llm_session import SYSTEM, MemoryLedger
from voicegw.agents.agent import CallFacts
from voicegw.agents.ladder_model import LadderModel
from voicegw.agents.languages import switch_tool
from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.agents.llm_session import LlmSession
from voicegw.agents.llm_settings import LlmSettings, LlmTexts, LlmTongue
from voicegw.agents.llm_state import LlmState
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.call import events as e
from voicegw.call.record import fold
from voicegw.ports.llm import TextDelta, ToolCallRequested
from voicegw.ports.tts import TtsRequest

VOICES = {"en-US": "slt", "de-DE": "thorsten"}
TEXTS_IN_GERMAN = LlmTexts("", no_input="Sind Sie noch da?", failed="Das geht leider nicht.")
GERMAN = LlmTongue(TEXTS_IN_GERMAN, ("ja bitte",))
GERMAN_LADDER = LadderModel(message="Auf Wiederhören.")


class TwoVoices:
    """Remembers what it was asked to say, and says it at the speed of the house."""

    def __init__(self, stage: House) -> None:
        self.requests: list[TtsRequest] = []
        self._plain = stage.speaker.synthesize
        stage.speaker.synthesize = self.synthesize  # type: ignore[method-assign]

    def synthesize(self, request: TtsRequest, lexicon: Lexicons = NO_WORDS):  # type: ignore[no-untyped-def]
        self.requests.append(request)
        return self._plain(request, lexicon)

    @property
    def said(self) -> list[tuple[str, str, str]]:
        return [(request.language, request.voice, request.text) for request in self.requests]


async def on_the_line(*answers: list[Step], german: LlmTongue = GERMAN) -> tuple[House, TwoVoices, SteppedModel]:
    """An agent of two languages has greeted in English."""
    model = SteppedModel(*answers)
    registry = ToolRegistry([switch_tool(VOICES)])
    held = CallTools(
        CallFacts(CALL, "demo", "+1"), lambda: registry, ToolDesk(MemoryLedger(), SystemClock(), Counters())
    )
    settings = LlmSettings("en-US", LlmTexts("Hello there."), languages={"de-DE": german})
    agent = OneSession(LlmSession(settings, LlmState((SYSTEM,)), model, held, None), languages=VOICES, voice="slt")
    stage = House([], agent)
    voice = TwoVoices(stage)
    await stage.answer()
    await stage.run(2.0)
    return stage, voice, model


def changes(stage: House) -> list[str]:
    return fold(stage.facts.entries).languages


def test_the_recognisers_word_changes_voice_and_recogniser_before_the_answer() -> None:
    async def story() -> None:
        stage, voice, model = await on_the_line(
            [asyncio.Event()], [TextDelta("Guten Tag. Gern.")], [TextDelta("Bitte.")]
        )
        assert stage.asr.options is None
        stage.asr.language = "de"
        await stage.caller_says("ich hätte gern ein zimmer")
        await stage.run(2.0)
        assert voice.said == [
            ("en-US", "slt", "Hello there."),
            ("de-DE", "thorsten", "Guten Tag."),
            ("de-DE", "thorsten", "Gern."),
        ]
        assert "(the caller speaks de-DE now: answer in it)" in model.requests[1].messages[-1].content
        assert "speaks" not in model.requests[0].messages[-1].content, "prepared before the language was known"
        assert stage.asr.options is not None
        assert stage.asr.options.language == "auto", "both languages must be heard"
        await stage.caller_says("danke schön")
        assert "speaks" not in model.requests[2].messages[-1].content, "it has not changed again"
        await stage.run(9.0)
        assert voice.said[-1] == ("de-DE", "thorsten", "Sind Sie noch da?")
        assert changes(stage) == ["de-DE"]

    asyncio.run(story())


def test_one_word_or_a_doubtful_text_changes_nothing() -> None:
    async def story() -> None:
        stage, voice, _ = await on_the_line([TextDelta("Yes?")], [TextDelta("Pardon?")])
        stage.asr.language = "de"
        await stage.caller_says("okay")
        await stage.run(1.0)
        stage.asr.confidence = 0.2
        await stage.caller_says("ich hätte gern")
        await stage.run(1.0)
        assert {language for language, _, _ in voice.said} == {"en-US"}

    asyncio.run(story())


def test_a_reply_that_is_taken_back_takes_its_language_with_it() -> None:
    async def story() -> None:
        never = [asyncio.Event()]
        stage, voice, model = await on_the_line(never, never, *[[TextDelta("Fine.")]] * 2)
        stage.asr.language = "de"
        await stage.caller_says("ich hätte gern")
        stage.asr.language = "en"
        await stage.caller_says("no sorry a room please")
        await stage.run(1.0)
        assert voice.said[-1] == ("en-US", "slt", "Fine.")
        assert changes(stage) == ["de-DE", "en-US"], "the record says that it was taken back"
        assert len(model.requests[-1].messages) == 3, "system, greeting and one longer turn"

    asyncio.run(story())


def test_the_model_may_change_the_language_itself() -> None:
    async def story() -> None:
        switch = ToolCallRequested("1", "switch_language", '{"language":"de-DE"}')
        stage, voice, _ = await on_the_line([TextDelta("One moment."), switch], [TextDelta("Guten Tag.")])
        await stage.caller_says("can we speak german")
        await stage.run(3.0)
        assert voice.said[1:] == [("en-US", "slt", "One moment."), ("de-DE", "thorsten", "Guten Tag.")]
        assert [text for text, _ in spoken(stage)][-1] == "Guten Tag."

    asyncio.run(story())


def test_below_the_models_the_agents_own_language_is_spoken_again() -> None:
    async def story() -> None:
        dead = ProviderError("llm", "gone", retryable=True)
        stage, voice, _ = await on_the_line([TextDelta("Guten Tag.")], [dead])
        stage.asr.language = "de"
        await stage.caller_says("guten tag zusammen")
        await stage.run(2.0)
        await stage.caller_says("ein zimmer bitte")
        await stage.run(2.0)
        assert voice.said[-1][:2] == ("en-US", "slt")

    asyncio.run(story())


def test_a_language_may_have_a_way_down_of_its_own() -> None:
    async def story() -> None:
        dead = ProviderError("llm", "gone", retryable=True)
        tongue = LlmTongue(TEXTS_IN_GERMAN, ladder=GERMAN_LADDER)
        stage, voice, _ = await on_the_line(*[[TextDelta("Guten Tag.")]] * 2, [dead], german=tongue)
        stage.asr.language = "de"
        await stage.caller_says("guten tag zusammen")
        await stage.run(2.0)
        await stage.caller_says("ein zimmer bitte")
        await stage.run(3.0)
        assert voice.said[-1] == ("de-DE", "thorsten", "Auf Wiederhören.")
        assert "hangup providers_down" in stage.signalling.said

    asyncio.run(story())


def test_the_house_speaks_the_language_of_the_call() -> None:
    async def story() -> None:
        stage, voice, _ = await on_the_line(*[[TextDelta("Guten Tag.")]] * 2, [asyncio.Event()])
        stage.asr.language = "de"
        await stage.caller_says("guten tag zusammen")
        await stage.run(2.0)
        await stage.caller_says("eine schwere frage bitte")
        await stage.run(3.0)
        assert voice.said[-1] == ("de-DE", "thorsten", "Einen Moment, bitte.")
        stage.call.post(e.ShutdownRequested())
        await stage.run(6.0)
        assert ("de-DE", "thorsten", "Unser System muss leider neu starten.") in voice.said
        assert voice.said[-1] == ("de-DE", "thorsten", "Auf Wiederhören.")

    asyncio.run(story())
