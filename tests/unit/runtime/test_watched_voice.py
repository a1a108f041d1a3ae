"""Synthesisers that hang: noticed in time, replaced, left alone, and tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.unit.runtime.test_speech import NoAsr
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.ports.tts import TtsAudio, TtsCapabilities, TtsChunk, TtsRequest
from voicegw.runtime.speech import Speech
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import let_pass, run_by

Step = float | str | Exception


class SlowVoice:
    """Plays its steps at each request: a number is a pause in seconds, a text is audio."""

    def __init__(self, name: str, *steps: Step) -> None:
        self.name = name
        self.capabilities = TtsCapabilities(streaming=True, word_marks=False)
        self.steps = list(steps)
        self.asked = 0
        self.closed = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def synthesize(self, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        self.asked += 1
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, str):
                    yield TtsAudio(step.encode())
                else:
                    await asyncio.sleep(step)
        finally:
            self.closed += 1


class Stage:
    """Engines in order, on a manual clock."""

    def __init__(self, *voices: SlowVoice) -> None:
        self.clock = ManualClock()
        self.counters = Counters()
        self.speech = Speech(NoAsr(), voices, self.counters, clock=self.clock)

    async def says(self, text: str, within_s: float) -> tuple[str, float | None, str]:
        """What is heard, after how many seconds the first of it came, and the failure."""
        began = self.clock.monotonic()
        heard: list[str] = []
        first: list[float] = []
        failure: list[str] = []

        async def listen() -> None:
            try:
                async for chunk in self.speech.synthesize(TtsRequest(text)):
                    if isinstance(chunk, TtsAudio):
                        first.append(round(self.clock.monotonic() - began, 1))
                        heard.append(chunk.pcm.decode())
            except ProviderError as error:
                failure.append(str(error))

        task = asyncio.create_task(listen())
        await let_pass(self.clock, within_s)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return "".join(heard), min(first, default=None), "".join(failure)


def test_a_hung_engine_is_replaced_in_time_and_left_alone_afterwards() -> None:
    hung, well = SlowVoice("a", 1000.0), SlowVoice("b", 0.1, "b")
    stage = Stage(hung, well)

    async def story() -> None:
        assert await stage.says("One.", 3.0) == ("b", 1.4, "")
        assert await stage.says("Two.", 3.0) == ("b", 0.1, "")
        assert (hung.asked, hung.closed) == (1, 1)
        assert stage.counters.get("tts_hung_a") == 1

    run_by(stage.clock, story())


def test_it_is_tried_again_after_a_pause() -> None:
    first, second = SlowVoice("a", 1000.0), SlowVoice("b", 0.1, "b")
    stage = Stage(first, second)

    async def story() -> None:
        await stage.says("One.", 3.0)
        first.steps = [0.1, "a"]
        await let_pass(stage.clock, 10.0)
        assert (await stage.says("Two.", 1.0))[0] == "a"

    run_by(stage.clock, story())


def test_a_stall_in_mid_sentence_ends_the_sentence() -> None:
    stage = Stage(SlowVoice("a", "begin", 1000.0), SlowVoice("b", "b"))

    async def story() -> None:
        assert await stage.says("One.", 3.0) == ("begin", 0.0, "a: no audio for 1500 ms")

    run_by(stage.clock, story())


def test_the_last_engine_that_is_left_gets_more_time() -> None:
    stage = Stage(SlowVoice("a", 2.2, "late"))

    async def story() -> None:
        assert await stage.says("One.", 4.0) == ("late", 2.2, "")

    run_by(stage.clock, story())


def test_when_all_hang_it_is_told_within_the_patience_of_all() -> None:
    stage = Stage(SlowVoice("a", 1000.0), SlowVoice("b", 1000.0))

    async def story() -> None:
        assert (await stage.says("One.", 2.6))[2].startswith("b: no audio")
        assert (await stage.says("Two.", 2.6))[2], "those that are left alone are still asked before nobody speaks"

    run_by(stage.clock, story())


@pytest.mark.parametrize("retryable", [True, False])
def test_an_engine_that_keeps_failing_is_left_alone_unless_the_texts_are_to_blame(*, retryable: bool) -> None:
    broken, well = SlowVoice("a", ProviderError("a", "no", retryable=retryable)), SlowVoice("b", "b")
    stage = Stage(broken, well)

    async def story() -> None:
        for number in range(5):
            assert (await stage.says(f"Number {number}.", 0.1))[0] == "b"
        assert broken.asked == (3 if retryable else 5)

    run_by(stage.clock, story())
