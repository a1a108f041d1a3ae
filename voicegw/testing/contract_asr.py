"""What every recogniser must do, as checks that run against any provider.

Each rule takes a started provider in an :class:`AsrSubject` and raises AssertionError if it is broken.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise

from voicegw.base.starvation import starved_s
from voicegw.ports.asr import AsrEvent, AsrFailed, AsrFinal, AsrOptions, AsrPartial, AsrProvider, AsrStream

PIECE_MS = 20
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class AsrSubject:
    """A provider under test. ``speech`` is PCM at its rate in which ``text`` is said; ``kill`` ends its engine."""

    provider: AsrProvider
    options: AsrOptions
    speech: bytes
    text: str
    kill: Callable[[], None]


AsrRule = Callable[[AsrSubject], Awaitable[None]]


def feed(subject: AsrSubject, stream: AsrStream, pcm: bytes) -> None:
    """Push audio in packets, as a call does."""
    size = subject.provider.capabilities.sample_rate_hz * PIECE_MS // 1000 * 2
    for start in range(0, len(pcm), size):
        stream.push(pcm[start : start + size])


async def collect(stream: AsrStream) -> list[AsrEvent]:
    """All events to the end of the stream, which must come."""

    async def drain() -> list[AsrEvent]:
        return [event async for event in stream.events()]

    return await asyncio.wait_for(drain(), PATIENCE_S)


def _with_a_processor() -> float:
    """A clock in seconds that stands still while we wait for a processor."""
    return time.monotonic() - starved_s(os.getpid())


async def finish_ends_the_stream_with_one_final(subject: AsrSubject) -> None:
    """Partials, then exactly one final text with sane figures, then the end."""
    stream = subject.provider.open(subject.options)
    feed(subject, stream, subject.speech)
    stream.finish()
    events = await collect(stream)
    final = events[-1]
    assert isinstance(final, AsrFinal), events
    assert all(isinstance(event, AsrPartial) for event in events[:-1]), events
    assert final.text == subject.text, final
    assert 0.0 <= final.confidence <= 1.0
    rate = subject.provider.capabilities.sample_rate_hz
    assert abs(final.audio_ms - len(subject.speech) / 2 / rate * 1000) < 1.0, final


async def partials_differ_from_each_other(subject: AsrSubject) -> None:
    """A partial is reported when it changes, not with every packet."""
    stream = subject.provider.open(subject.options)
    feed(subject, stream, subject.speech)
    stream.finish()
    texts = [event.text for event in await collect(stream) if isinstance(event, AsrPartial)]
    assert all(a != b for a, b in pairwise(texts)), texts
    assert texts or not subject.provider.capabilities.partials


async def no_audio_gives_an_empty_final(subject: AsrSubject) -> None:
    """Finish without audio is a result, not an error."""
    stream = subject.provider.open(subject.options)
    stream.finish()
    events = await collect(stream)
    assert len(events) == 1 and isinstance(events[0], AsrFinal), events
    assert events[0].audio_ms == 0.0


async def close_yields_nothing_more(subject: AsrSubject) -> None:
    """After close the iterator ends without a result, whether somebody waits in it or not."""
    stream = subject.provider.open(subject.options)
    feed(subject, stream, subject.speech)
    stream.finish()
    stream.close()
    stream.close()
    stream.push(b"\0\0")
    stream.finish()
    assert await collect(stream) == []
    waiting = subject.provider.open(subject.options)
    task = asyncio.ensure_future(collect(waiting))
    await asyncio.sleep(0)
    waiting.close()
    assert await task == []


async def streams_do_not_mix(subject: AsrSubject) -> None:
    """Two utterances at the same time, packet by packet, come out as each would alone."""
    spoken, silent = subject.provider.open(subject.options), subject.provider.open(subject.options)
    size = subject.provider.capabilities.sample_rate_hz * PIECE_MS // 1000 * 2
    for start in range(0, len(subject.speech), size):
        spoken.push(subject.speech[start : start + size])
        silent.push(b"\0" * size)
    spoken.finish()
    silent.finish()
    first, second = await asyncio.gather(collect(spoken), collect(silent))
    assert isinstance(first[-1], AsrFinal) and isinstance(second[-1], AsrFinal)
    assert first[-1].text == subject.text, first
    assert second[-1].text != subject.text, second


async def a_dead_engine_is_an_event(subject: AsrSubject) -> None:
    """A killed engine ends the stream with AsrFailed within a second, but for what a busy machine adds; the next
    utterance works."""
    stream = subject.provider.open(subject.options)
    feed(subject, stream, subject.speech[: len(subject.speech) // 2])
    task = asyncio.ensure_future(collect(stream))
    await asyncio.sleep(0)
    began = _with_a_processor()
    subject.kill()
    events = await task
    assert _with_a_processor() - began < 1.0
    assert isinstance(events[-1], AsrFailed) and events[-1].retryable, events
    stream.push(b"\0\0")
    stream.finish()
    stream.close()
    await finish_ends_the_stream_with_one_final(subject)


ASR_RULES: tuple[AsrRule, ...] = (
    finish_ends_the_stream_with_one_final,
    partials_differ_from_each_other,
    no_audio_gives_an_empty_final,
    close_yields_nothing_more,
    streams_do_not_mix,
    a_dead_engine_is_an_event,
)
