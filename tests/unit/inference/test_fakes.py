"""The scripted engines keep time by the test's clock."""

from __future__ import annotations

import asyncio

from voicegw.ports.asr import AsrFinal, AsrOptions
from voicegw.ports.tts import TtsAudio, TtsRequest
from voicegw.testing.fakes import Delays, FakeAsr, FakeTts, Heard
from voicegw.testing.manual_clock import ManualClock


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_final_text_comes_when_the_clock_says() -> None:
    async def run() -> None:
        clock = ManualClock()
        delays = Delays(clock)
        stream = FakeAsr([Heard("yes", final_after_s=0.3)], delays).open(AsrOptions())
        stream.finish()
        task = asyncio.ensure_future(anext(stream.events()))
        await settle()
        clock.advance(0.29)
        assert delays.run_due() == 0
        assert not task.done()
        clock.advance(0.02)
        assert delays.run_due() == 1
        assert await task == AsrFinal("yes", 0.9, 0.0, 0.0)

    asyncio.run(run())


def test_first_audio_comes_when_the_clock_says() -> None:
    async def run() -> None:
        clock = ManualClock()
        delays = Delays(clock)
        tts = FakeTts(delays, first_after_s=0.1)
        chunks: list[object] = []

        async def listen() -> None:
            async for chunk in tts.synthesize(TtsRequest("hi there")):
                chunks.append(chunk)

        task = asyncio.ensure_future(listen())
        await settle()
        assert not chunks
        clock.advance(0.1)
        delays.run_due()
        await task
        samples = sum(len(chunk.pcm) for chunk in chunks if isinstance(chunk, TtsAudio)) // 2
        assert samples == len("hi there") * 400

    asyncio.run(run())
