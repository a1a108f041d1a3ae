"""What every synthesiser must do, as checks that run against any provider.

Each rule takes a started provider in a :class:`TtsSubject` and raises AssertionError if it is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import cast

from voicegw.base.errors import ProviderError
from voicegw.ports.tts import TtsAudio, TtsChunk, TtsProvider, TtsRequest, WordMark

PATIENCE_S = 20.0
HELD_UP_S = 10.0
"""A sentence that takes so long waits for another one, on any machine."""
TEXT = "Good morning, doctor Smith can see you on Tuesday at nine."


@dataclass(frozen=True, slots=True)
class TtsSubject:
    """A provider under test; ``kill`` ends its engine."""

    provider: TtsProvider
    kill: Callable[[], None]


TtsRule = Callable[[TtsSubject], Awaitable[None]]


async def collect(provider: TtsProvider, request: TtsRequest) -> list[TtsChunk]:
    """All chunks of a request, which must end."""

    async def drain() -> list[TtsChunk]:
        return [chunk async for chunk in provider.synthesize(request)]

    return await asyncio.wait_for(drain(), PATIENCE_S)


def samples(chunks: list[TtsChunk]) -> int:
    """Samples in all audio chunks; each must hold whole samples."""
    sizes = [len(chunk.pcm) for chunk in chunks if isinstance(chunk, TtsAudio)]
    assert all(size % 2 == 0 for size in sizes), sizes
    return sum(sizes) // 2


async def audio_has_the_rate_that_was_asked_for(subject: TtsSubject) -> None:
    """The same text takes the same time at 8 and at 16 kHz, in several pieces."""
    low = await collect(subject.provider, TtsRequest(TEXT))
    high = await collect(subject.provider, TtsRequest(TEXT, sample_rate_hz=16000))
    assert samples(low) > 8000, samples(low)
    assert abs(samples(high) / samples(low) - 2.0) < 0.05, (samples(low), samples(high))
    if subject.provider.capabilities.streaming:
        assert sum(isinstance(chunk, TtsAudio) for chunk in low) > 3


async def the_audio_is_speech_from_the_start(subject: TtsSubject) -> None:
    """Loud somewhere, and no more than 100 ms of silence in front: it would only delay the answer."""
    chunks = await collect(subject.provider, TtsRequest(TEXT))
    pcm = b"".join(chunk.pcm for chunk in chunks if isinstance(chunk, TtsAudio))
    values = memoryview(pcm).cast("h")
    assert max(values) > 2000
    assert any(abs(value) > 150 for value in values[:800])


async def word_marks_are_in_order(subject: TtsSubject) -> None:
    """Marks point at words of the text, in order, inside the audio, each before audio that follows it."""
    chunks = await collect(subject.provider, TtsRequest(TEXT))
    marks = [chunk for chunk in chunks if isinstance(chunk, WordMark)]
    assert bool(marks) == subject.provider.capabilities.word_marks
    positions = [mark.at_sample for mark in marks]
    assert positions == sorted(positions) and all(0 <= at < samples(chunks) for at in positions), positions
    words = [TEXT[mark.start_char : mark.end_char] for mark in marks]
    assert not marks or [word.strip(",.") for word in words] == [word.strip(",.") for word in TEXT.split()], words


async def closing_stops_quickly(subject: TtsSubject) -> None:
    """A reader that goes away after the first piece of a long text does not hold up the next sentence."""
    stream = cast(AsyncGenerator[TtsChunk, None], subject.provider.synthesize(TtsRequest(" ".join([TEXT] * 20))))
    async with contextlib.aclosing(stream) as chunks:
        async for chunk in chunks:
            if isinstance(chunk, TtsAudio):
                break
    assert samples(await asyncio.wait_for(collect(subject.provider, TtsRequest("Yes.")), HELD_UP_S)) > 0


async def nothing_to_say_is_no_audio(subject: TtsSubject) -> None:
    """Text without a letter or digit ends without audio and without an error."""
    assert samples(await collect(subject.provider, replace(TtsRequest(""), text="")) or []) == 0


async def a_dead_engine_is_a_provider_error(subject: TtsSubject) -> None:
    """A killed engine raises ProviderError within a second; the next sentence works."""
    stream = subject.provider.synthesize(TtsRequest(" ".join([TEXT] * 20)))
    await anext(stream)
    subject.kill()

    async def drain() -> None:
        async for _ in stream:
            pass

    try:
        await asyncio.wait_for(drain(), PATIENCE_S)
    except ProviderError as error:
        assert error.retryable
    else:
        raise AssertionError("no error from a dead engine")
    assert samples(await collect(subject.provider, TtsRequest("Yes."))) > 0


TTS_RULES: tuple[TtsRule, ...] = (
    audio_has_the_rate_that_was_asked_for,
    the_audio_is_speech_from_the_start,
    word_marks_are_in_order,
    closing_stops_quickly,
    nothing_to_say_is_no_audio,
    a_dead_engine_is_a_provider_error,
)
