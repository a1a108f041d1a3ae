from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.scenarios.house import ScriptedAgent
from voicegw.agents.agent import Agent, Expectation
from voicegw.agents.announcing import RefusalAnnouncer
from voicegw.agents.lexicon import Lexicons, parse_lexicon
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.ports.asr import AsrCapabilities, AsrOptions, AsrStream
from voicegw.ports.eot import EotCapabilities, EotQuestion
from voicegw.ports.tts import Reading, TtsAudio, TtsCapabilities, TtsChunk, TtsRequest
from voicegw.runtime.speech import Speech


class NoAsr:
    name = "none"
    capabilities = AsrCapabilities(8000, partials=False, phrases=False)

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def prepare(self, options: AsrOptions) -> None: ...

    def open(self, options: AsrOptions) -> AsrStream:
        raise NotImplementedError


class Voice:
    """Three pieces of audio; fails after ``fails_after`` of them."""

    def __init__(self, name: str, fails_after: int = 99) -> None:
        self.name = name
        self.capabilities = TtsCapabilities(streaming=True, word_marks=False, voices=("slt",))
        self.fails_after = fails_after
        self.asked = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def synthesize(self, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        self.asked += 1
        for piece in range(3):
            if piece == self.fails_after:
                raise ProviderError(self.name, "broken", retryable=True)
            yield TtsAudio(f"{self.name}{piece}{request.text}".encode())


async def said(speech: Speech, text: str, pieces: int = 99) -> list[bytes]:
    """At most ``pieces`` of what is made of the text."""
    heard: list[bytes] = []
    chunks = speech.synthesize(TtsRequest(text))
    async for chunk in chunks:
        if isinstance(chunk, TtsAudio):
            heard.append(chunk.pcm)
        if len(heard) == pieces:
            break
    return heard


def test_a_sentence_is_made_once_and_sounds_the_same_again() -> None:
    voice, counters = Voice("a"), Counters()
    speech = Speech(NoAsr(), [voice], counters)

    async def often() -> list[list[bytes]]:
        return [await said(speech, "Hello.") for _ in range(4)]

    assert asyncio.run(often()) == [[b"a0Hello.", b"a1Hello.", b"a2Hello."]] * 4
    assert voice.asked == 1 and counters.get("tts_from_memory") == 3


def test_a_sentence_that_was_cut_short_is_not_remembered() -> None:
    voice = Voice("a")
    speech = Speech(NoAsr(), [voice], Counters())

    async def often() -> list[bytes]:
        for _ in range(3):
            await said(speech, "Hello.", pieces=1)
        return await said(speech, "Hello.")

    assert len(asyncio.run(often())) == 3 and voice.asked == 4


def test_what_a_stand_in_said_is_not_taken_for_the_first_engine() -> None:
    first, second = Voice("a", fails_after=0), Voice("b")
    speech = Speech(NoAsr(), [first, second], Counters())

    async def before_and_after() -> tuple[list[bytes], list[bytes]]:
        for _ in range(2):
            before = await said(speech, "Hello.")
        first.fails_after = 99
        return before, await said(speech, "Hello.")

    before, after = asyncio.run(before_and_after())
    assert before[0] == b"b0Hello." and after[0] == b"a0Hello."


def test_a_failure_in_mid_sentence_is_told_and_not_remembered() -> None:
    voice = Voice("a", fails_after=1)
    speech = Speech(NoAsr(), [voice, Voice("b")], Counters())
    with pytest.raises(ProviderError):
        asyncio.run(said(speech, "Hello."))
    voice.fails_after = 99
    assert len(asyncio.run(said(speech, "Hello."))) == 3


def test_each_engine_reads_the_text_in_its_own_words() -> None:
    words = Lexicons(parse_lexicon('words: {Worcester: {say: wooster, phonemes: {piper: "wˈʊstɚ"}}}'))

    async def story() -> tuple[list[str], list[bytes]]:
        speech = Speech(NoAsr(), [Voice("piper", fails_after=0), Voice("b")], Counters())
        chunks = [chunk async for chunk in speech.synthesize(TtsRequest("Worcester: $5"), words)]
        audio = [chunk.pcm for chunk in chunks if isinstance(chunk, TtsAudio)]
        return [chunk.text for chunk in chunks if isinstance(chunk, Reading)], audio

    readings, audio = asyncio.run(story())
    assert readings == ["[[ wˈʊstɚ ]]: five dollars", "wooster: five dollars"], "the second replaces the first"
    assert audio == [f"b{piece}wooster: five dollars".encode() for piece in range(3)]


def test_what_nobody_can_say_is_not_asked_of_an_engine() -> None:
    voice = Voice("a")
    speech = Speech(NoAsr(), [voice], Counters())
    assert asyncio.run(said(speech, "```x```")) == []
    assert voice.asked == 0


class Guess:
    """An end-of-turn model that starts, or does not."""

    name = "guess"
    capabilities = EotCapabilities(text=True, audio=False)

    def __init__(self, *, broken: bool) -> None:
        self.broken = broken
        self.running = False

    async def start(self) -> None:
        if self.broken:
            raise ProviderError(self.name, "no such file", retryable=False)
        self.running = True

    async def close(self) -> None:
        self.running = False

    async def probability(self, question: EotQuestion) -> float:
        return 0.5


@pytest.mark.parametrize("broken", [False, True])
def test_an_end_of_turn_model_is_started_and_closed_and_none_is_needed(broken: bool) -> None:
    async def story() -> None:
        guess = Guess(broken=broken)
        speech = Speech(NoAsr(), [Voice("one")], Counters(), eot=guess)
        await speech.start()
        assert guess.running is not broken
        await speech.close()
        assert not guess.running

    asyncio.run(story())


class Prepared(NoAsr):
    """Keeps what it was to prepare for."""

    def __init__(self) -> None:
        self.options: list[AsrOptions] = []

    async def prepare(self, options: AsrOptions) -> None:
        self.options.append(options)


class Asking(ScriptedAgent):
    """Listens for anything at one question, and at another one expects a word."""

    def expectations(self) -> tuple[Expectation, ...]:
        return Expectation(("yes", "no"), ()), Expectation(("yes", "no"), ("no",))


def test_models_are_made_for_questions_and_for_who_speaks_without_one() -> None:
    async def story(agent: Agent) -> list[AsrOptions]:
        asr = Prepared()
        await Speech(asr, [Voice("one")], Counters()).prepare([agent])
        return asr.options

    anything = AsrOptions("en-US", ("yes", "no"))
    assert asyncio.run(story(ScriptedAgent([]))) == [anything]
    assert asyncio.run(story(Asking([]))) == [anything, AsrOptions("en-US", ("yes", "no"), ("no",))]
    assert asyncio.run(story(RefusalAnnouncer("We are closed.", HangupCause.BUSY))) == [], "nobody is heard"
