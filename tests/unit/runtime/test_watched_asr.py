"""A recogniser that hangs is noticed; one that works is not disturbed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tests.unit.runtime.test_speech import NoAsr
from voicegw.base.metrics import Counters
from voicegw.ports.asr import AsrEvent, AsrFailed, AsrFinal, AsrOptions, AsrPartial, AsrStream
from voicegw.runtime.watched_asr import WatchedAsr
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import let_pass, run_by

FINAL = AsrFinal("hello", 0.9, 500.0, 10.0)
FAILED = AsrFailed("killed", retryable=True)
Step = float | AsrEvent


class Steps:
    """A stream of events and pauses; a pause before the end of the utterance waits for it."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        self.finished = asyncio.Event()
        self.pushed: list[bytes] = []
        self.closed = False

    def push(self, pcm: bytes) -> None:
        self.pushed.append(pcm)

    def finish(self) -> None:
        self.finished.set()

    def close(self) -> None:
        self.closed = True

    async def events(self) -> AsyncIterator[AsrEvent]:
        for step in self.steps:
            if isinstance(step, float):
                await self.finished.wait()
                await asyncio.sleep(step)
            else:
                yield step


class StepAsr(NoAsr):
    """Each stream plays the same steps."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.streams: list[Steps] = []

    def open(self, options: AsrOptions) -> AsrStream:
        self.streams.append(Steps(self.steps))
        return self.streams[-1]


class Listener:
    """Reads one stream to its end."""

    def __init__(self, *steps: Step) -> None:
        self.clock = ManualClock()
        self.counters = Counters()
        self.inner = StepAsr(*steps)
        self.asr = WatchedAsr(self.inner, self.counters)
        self.heard: list[AsrEvent] = []
        self.ended = False

    def open(self) -> AsrStream:
        stream = self.asr.open(AsrOptions())

        async def read() -> None:
            async for event in stream.events():
                self.heard.append(event)
            self.ended = True

        self.task = asyncio.create_task(read())
        return stream


def test_what_a_recogniser_says_goes_through() -> None:
    listener = Listener(AsrPartial("hel"), 0.3, FINAL)

    async def story() -> None:
        await listener.asr.start()
        stream = listener.open()
        stream.push(b"audio")
        await let_pass(listener.clock, 60.0)
        assert listener.heard == [AsrPartial("hel")], "a caller who speaks for long is no fault of the engine"
        stream.finish()
        await let_pass(listener.clock, 0.4)
        assert (listener.heard[1:], listener.ended) == ([FINAL], True)
        assert listener.inner.streams[0].pushed == [b"audio"]
        assert listener.asr.name == "none"
        await listener.asr.prepare(AsrOptions())
        await listener.asr.close()

    run_by(listener.clock, story())


def test_a_recogniser_that_gives_no_text_in_time_has_failed() -> None:
    listener = Listener(AsrPartial("hel"), 1000.0, FINAL)

    async def story() -> None:
        stream = listener.open()
        stream.finish()
        await let_pass(listener.clock, 3.9)
        assert not listener.ended
        await let_pass(listener.clock, 0.2)
        assert listener.heard[1:] == [AsrFailed("no final text within 4000 ms", retryable=True)]
        assert listener.ended
        assert listener.inner.streams[0].closed
        assert listener.counters.get("asr_hung_none") == 1

    run_by(listener.clock, story())


def test_a_failure_of_its_own_goes_through() -> None:
    listener = Listener(FAILED)

    async def story() -> None:
        listener.open()
        await let_pass(listener.clock, 0.1)
        assert (listener.heard, listener.ended) == ([FAILED], True)

    run_by(listener.clock, story())


def test_a_stream_that_was_thrown_away_says_nothing_more() -> None:
    listener = Listener(1000.0, FINAL)

    async def story() -> None:
        stream = listener.open()
        await let_pass(listener.clock, 0.1)
        stream.close()
        await let_pass(listener.clock, 10.0)
        assert (listener.heard, listener.ended) == ([], True)
        assert listener.counters.get("asr_hung_none") == 0

    run_by(listener.clock, story())


def test_thrown_away_while_its_text_is_waited_for_it_says_nothing_either() -> None:
    listener = Listener(1000.0, FINAL)

    async def story() -> None:
        stream = listener.open()
        stream.finish()
        await let_pass(listener.clock, 0.1)
        stream.close()
        await let_pass(listener.clock, 10.0)
        assert (listener.heard, listener.ended) == ([], True)

    run_by(listener.clock, story())
