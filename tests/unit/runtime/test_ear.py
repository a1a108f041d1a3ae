from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from tests.scenarios.house import FakeAsr, ManualClock
from voicegw.ports.asr import AsrEvent, AsrFailed, AsrFinal, AsrOptions
from voicegw.runtime.ear import Ear
from voicegw.runtime.mail import AsrReported
from voicegw.runtime.tasks import ChildTasks

OPTIONS = AsrOptions()


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


class Stream:
    """Remembers what it is given; ends when it is told what it heard."""

    def __init__(self) -> None:
        self.pcm = b""
        self.finished = self.closed = False
        self.result: asyncio.Queue[AsrEvent | Exception] = asyncio.Queue()

    def push(self, pcm: bytes) -> None:
        self.pcm += pcm

    def finish(self) -> None:
        self.finished = True

    def close(self) -> None:
        self.closed = True

    async def events(self) -> AsyncIterator[AsrEvent]:
        result = await self.result.get()
        if isinstance(result, Exception):
            raise result
        yield result


class Recogniser(FakeAsr):
    """Opens streams and keeps them all."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: list[Stream] = []
        self.rates: list[int] = []

    def open(self, options: AsrOptions) -> Stream:  # type: ignore[override]
        self.rates.append(options.sample_rate_hz)
        self.streams.append(Stream())
        return self.streams[-1]


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.tasks = ChildTasks()
        self.recogniser = Recogniser()
        self.mail: list[AsrReported] = []
        self.ear = Ear(self.recogniser, self.tasks, self.mail.append, self.clock, random.Random(1).randbytes)

    def hear(self, frames: int) -> None:
        """Frames that carry their own number."""
        for _ in range(frames):
            self.clock.advance(0.02)
            number = round((self.clock.monotonic() - 1000) / 0.02)
            self.ear.hear(number.to_bytes(2, "big") * 160)

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


def numbers(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[at : at + 2], "big") for at in range(0, len(pcm), 320)]


def test_a_stream_begins_a_quarter_of_a_second_before_the_onset() -> None:
    async def story() -> None:
        rig = Rig()
        rig.hear(90)
        rig.ear.begin(OPTIONS, rig.clock.monotonic() - 0.11)
        rig.hear(2)
        (stream,) = rig.recogniser.streams
        assert numbers(stream.pcm) == list(range(91 - 18, 93))
        await rig.tasks.close()

    play(story())


def test_no_more_is_kept_than_two_seconds() -> None:
    async def story() -> None:
        rig = Rig()
        rig.hear(300)
        rig.ear.begin(OPTIONS, rig.clock.monotonic() - 60)
        assert len(numbers(rig.recogniser.streams[0].pcm)) == 100
        await rig.tasks.close()

    play(story())


def test_a_stream_that_is_open_goes_on_and_one_that_finishes_is_replaced() -> None:
    async def story() -> None:
        rig = Rig()
        rig.ear.begin(OPTIONS, rig.clock.monotonic())
        rig.ear.begin(OPTIONS, rig.clock.monotonic())
        assert len(rig.recogniser.streams) == 1
        assert rig.ear.finish()
        assert not rig.ear.finish()
        rig.hear(1)
        assert rig.recogniser.streams[0].pcm == b"", "nothing is heard after the end was asked for"
        rig.ear.begin(OPTIONS, rig.clock.monotonic())
        first, second = rig.recogniser.streams
        assert first.closed
        assert not second.closed
        await rig.tasks.close()

    play(story())


def test_a_turn_that_goes_on_before_its_text_has_come_is_heard_again_as_a_whole() -> None:
    async def story() -> None:
        rig = Rig()
        rig.hear(20)
        rig.ear.begin(OPTIONS, rig.clock.monotonic())
        rig.hear(30)
        assert rig.ear.finish()
        rig.hear(5)
        rig.ear.begin(OPTIONS, rig.clock.monotonic())
        first, second = rig.recogniser.streams
        assert second.pcm.startswith(first.pcm)
        assert len(second.pcm) > len(first.pcm), "and what was said meanwhile"
        await rig.tasks.close()

    play(story())


def test_reports_carry_the_id_of_their_stream_and_old_ones_are_refused() -> None:
    async def story() -> None:
        rig = Rig()
        rig.ear.begin(OPTIONS, rig.clock.monotonic())
        rig.recogniser.streams[0].result.put_nowait(AsrFinal("old", 1.0, 0, 0))
        await rig.settle()
        assert rig.ear.accepts(rig.mail[0].stream_id)
        rig.ear.drop()
        assert not rig.ear.is_open
        rig.ear.begin(OPTIONS, rig.clock.monotonic())
        assert not rig.ear.accepts(rig.mail[0].stream_id)
        await rig.tasks.close()

    play(story())


def test_a_stream_that_breaks_is_reported_as_failed() -> None:
    async def story() -> None:
        rig = Rig()
        rig.ear.begin(OPTIONS, rig.clock.monotonic())
        rig.recogniser.streams[0].result.put_nowait(RuntimeError("broken"))
        await rig.settle()
        (report,) = rig.mail
        assert isinstance(report.event, AsrFailed)
        assert "broken" in report.event.reason
        assert rig.ear.accepts(report.stream_id)
        await rig.tasks.close()

    play(story())


def test_nothing_to_finish_when_nothing_is_open() -> None:
    async def story() -> None:
        rig = Rig()
        assert not rig.ear.finish()
        rig.ear.drop()
        assert rig.recogniser.streams == []

    play(story())


def test_a_wide_call_is_recognised_at_its_own_rate() -> None:
    async def story() -> None:
        rig = Rig()
        for _ in range(200):
            rig.clock.advance(0.02)
            rig.ear.hear(bytes(640), 16000)
        assert rig.ear.begin(OPTIONS, rig.clock.monotonic() - 0.11)
        assert rig.recogniser.rates == [16000]
        assert len(rig.recogniser.streams[0].pcm) == 18 * 640  # 0.11 s, and 0.24 before it, in whole frames
        assert len(rig.ear.recent(1000)) == 32000
        rig.ear.drop()
        await rig.tasks.close()

    play(story())
