"""The stub providers keep their delays to the moment and count what was made for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import numpy as np

from voicegw.ports.asr import AsrFinal, AsrOptions, AsrPartial, AsrStream
from voicegw.ports.llm import LlmFinished, LlmMessage, LlmRequest, LlmRole, LlmUsage, TextDelta
from voicegw.ports.tts import TtsAudio, TtsRequest, WordMark
from voicegw.testing.contract_asr import (
    AsrSubject,
    close_yields_nothing_more,
    finish_ends_the_stream_with_one_final,
    no_audio_gives_an_empty_final,
)
from voicegw.testing.contract_tts import TTS_RULES, TtsSubject, a_dead_engine_is_a_provider_error
from voicegw.testing.fakes import Delays
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.stub_llm import StubLlm
from voicegw.testing.stub_speech import StubAsr, StubLine, StubTts
from voicegw.testing.stub_work import StubTime

FRAME = bytes(320)
ASK = LlmRequest((LlmMessage(LlmRole.USER, "when are you open"),))


class Slow:
    """A clock that a test moves, and the stub's time on it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.delays = Delays(self.clock)
        self.time = StubTime(self.clock, self.delays.wait)

    async def run(self, seconds: float) -> None:
        """Let time pass in steps of a millisecond, each by a hair too long: no deadline is missed by rounding."""
        await settle()
        begun = self.clock.monotonic()
        for step in range(1, round(seconds * 1000) + 1):
            self.clock.advance_to(begun + step / 1000 + 1e-7)
            self.delays.run_due()
            await settle()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Reader:
    """Collects what an iterator yields, with the clock's time."""

    def __init__(self, slow: Slow, items: Any) -> None:
        self.got: list[tuple[float, object]] = []
        self._began = slow.clock.monotonic()
        self.task = asyncio.ensure_future(self._read(slow, items))

    async def _read(self, slow: Slow, items: Any) -> None:
        async for item in items:
            self.got.append((round(slow.clock.monotonic() - self._began, 3), item))


def test_a_final_text_comes_exactly_as_late_as_told() -> None:
    async def story() -> None:
        slow = Slow()
        asr = StubAsr([StubLine("one two", ((0.1, "one"), (0.3, "one two")))], final_after_s=0.15, time=slow.time)
        stream = asr.open(AsrOptions())
        reader = Reader(slow, stream.events())
        stream.push(FRAME)
        await slow.run(0.5)
        stream.finish()
        await slow.run(0.3)
        assert reader.got == [
            (0.1, AsrPartial("one")),
            (0.3, AsrPartial("one two")),
            (0.65, AsrFinal("one two", 0.95, 20.0, 0.0)),
        ]
        assert reader.task.done()
        assert (asr.work.jobs, asr.work.cancelled, asr.work.made) == (1, 0, 20.0)

    asyncio.run(story())


def test_each_caller_goes_through_the_lines_and_begins_again() -> None:
    async def story() -> None:
        asr = StubAsr([StubLine("one"), StubLine("two")])

        async def hear(caller: str) -> str:
            stream: AsrStream = asr.open(AsrOptions(caller=caller))
            stream.push(FRAME)
            stream.finish()
            (final,) = [event async for event in stream.events()]
            assert isinstance(final, AsrFinal)
            return final.text

        assert [await hear(caller) for caller in ("a", "b", "a", "a", "b")] == ["one", "one", "two", "one", "two"]

    asyncio.run(story())


def test_a_stream_that_is_closed_is_thrown_away_with_its_audio() -> None:
    async def story() -> None:
        slow = Slow()
        asr = StubAsr([StubLine("one", ((0.1, "one"),))], final_after_s=0.15, time=slow.time)
        stream = asr.open(AsrOptions())
        reader = Reader(slow, stream.events())
        for _ in range(3):
            stream.push(FRAME)
        stream.finish()
        await slow.run(0.1)
        stream.close()
        stream.close()
        await slow.run(0.2)
        assert reader.task.done()
        assert reader.got == []
        assert (asr.work.cancelled, asr.work.thrown_away) == (1, 60.0)

    asyncio.run(story())


def test_the_recogniser_keeps_the_rules_of_recognisers() -> None:
    async def story() -> None:
        asr = StubAsr([StubLine("one two", ((0.0, "one"),))])
        subject = AsrSubject(asr, AsrOptions(), FRAME * 10, "one two", lambda: None)
        for rule in (
            finish_ends_the_stream_with_one_final,
            no_audio_gives_an_empty_final,
            close_yields_nothing_more,
        ):
            await rule(subject)

    asyncio.run(story())


def test_a_model_answers_after_its_delay_and_at_its_rate() -> None:
    async def story() -> None:
        slow = Slow()
        llm = StubLlm(lambda _request: "At eight o'clock.", first_after_s=0.3, tokens_per_s=50, time=slow.time)
        reader = Reader(slow, llm.stream(ASK))
        await slow.run(0.5)
        assert reader.got[:3] == [
            (0.3, TextDelta("At ")),
            (0.32, TextDelta("eight ")),
            (0.34, TextDelta("o'clock. ")),
        ]
        assert [type(event) for _, event in reader.got[3:]] == [LlmFinished, LlmUsage]
        assert (llm.work.jobs, llm.work.made, llm.work.thrown_away) == (1, 3, 0)

    asyncio.run(story())


def test_an_answer_that_is_closed_is_thrown_away_with_its_tokens() -> None:
    async def story() -> None:
        llm = StubLlm(lambda _request: "one two three")
        stream = llm.stream(ASK)
        await anext(stream)
        await anext(stream)
        await stream.aclose()
        assert (llm.work.cancelled, llm.work.thrown_away) == (1, 2)

    asyncio.run(story())


def test_audio_begins_after_its_delay_and_comes_at_its_rate() -> None:
    async def story() -> None:
        slow = Slow()
        tts = StubTts(first_after_s=0.1, real_time_factor=0.5, time=slow.time)
        reader = Reader(slow, tts.synthesize(TtsRequest("Yes.")))
        await slow.run(0.4)
        audio = [at for at, chunk in reader.got if isinstance(chunk, TtsAudio)]
        assert audio == [0.1, 0.15, 0.2]
        assert reader.got[0] == (0.1, WordMark(0, 0, 4))
        assert tts.work.made == 300

    asyncio.run(story())


def test_speech_that_is_closed_is_thrown_away() -> None:
    async def story() -> None:
        tts = StubTts()
        stream = cast(AsyncGenerator[object, None], tts.synthesize(TtsRequest("Yes.")))
        assert isinstance(await anext(stream), WordMark)
        await anext(stream)
        await anext(stream)
        await stream.aclose()
        assert (tts.work.cancelled, tts.work.thrown_away) == (1, 200)

    asyncio.run(story())


def test_the_voice_keeps_the_rules_of_voices_and_is_never_silent() -> None:
    async def story() -> None:
        tts = StubTts()
        for rule in TTS_RULES:
            if rule is not a_dead_engine_is_a_provider_error:
                await rule(TtsSubject(tts, lambda: None))
        request = TtsRequest("A sentence of some length.")
        pieces = [chunk.pcm async for chunk in tts.synthesize(request) if isinstance(chunk, TtsAudio)]
        frames = [np.abs(np.frombuffer(piece, "<i2").astype(int)).max() for piece in pieces]
        assert min(frames) > 1000
        assert max(frames) < 20_000

    asyncio.run(story())
