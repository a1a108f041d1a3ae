"""The engine of a Whisper worker with a reader made of a script, its second thread run by the test."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from voicegw.base.ids import StreamId
from voicegw.base.messages import FrameDecoder
from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.asr.faster_whisper_engine import WhisperEngine
from voicegw.inference.asr.faster_whisper_text import Reading
from voicegw.inference.asr.faster_whisper_utterance import Task, Wish
from voicegw.inference.messages import (
    Event,
    FinishRecognition,
    OpenRecognition,
    PrepareModel,
    PushAudio,
    StreamEnded,
    StreamFailed,
    TextChanged,
    TextFinal,
    decode_event,
)
from voicegw.inference.worker import WorkerChannel

SPEECH = np.resize(np.array([3000, -3000], "<i2"), 8000).tobytes()
A, B, C = StreamId("a"), StreamId("b"), StreamId("c")


class ScriptedReader:
    """Reads ``text`` in everything and keeps what it was given; ``during`` runs in the middle of a reading."""

    def __init__(self) -> None:
        self.batches: list[list[Task]] = []
        self.fails = ""
        self.during: Callable[[], None] = lambda: None

    def read(self, tasks: Sequence[Task]) -> list[Reading]:
        self.batches.append(list(tasks))
        self.during()
        if self.fails:
            raise RuntimeError(self.fails)
        return [Reading("hello there", 0.9, task.language or "fr", True) for task in tasks]


class Bench:
    """An engine and the gateway's end of its socket."""

    def __init__(self, config: WhisperConfig) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._decoder = FrameDecoder()
        self.reader = ScriptedReader()
        self.engine = WhisperEngine(WorkerChannel(self._theirs), self.reader, config)

    def open(self, stream_id: StreamId, language: str = "en", seconds: int = 1) -> None:
        self.engine.handle(OpenRecognition(stream_id, "", "", language))
        for _ in range(seconds):
            self.engine.handle(PushAudio(stream_id, SPEECH))

    def finish(self, *stream_ids: StreamId) -> None:
        for stream_id in stream_ids:
            self.engine.handle(FinishRecognition(stream_id))

    def events(self) -> list[Event]:
        try:
            data = self._ours.recv(65536)
        except BlockingIOError:
            return []
        return [decode_event(payload) for payload in self._decoder.feed(data)]

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(WhisperConfig(max_batch=2))
    yield made
    made.close()


def test_callers_are_read_together_up_to_the_limit(bench: Bench) -> None:
    for stream_id in (A, B, C):
        bench.open(stream_id)
    bench.finish(A, B, C)
    bench.engine.read_next()
    bench.engine.read_next()
    assert [len(batch) for batch in bench.reader.batches] == [2, 1]
    finals = bench.events()
    assert [event.stream_id for event in finals if isinstance(event, TextFinal)] == [A, B, C]


def test_a_final_overtakes_partials_that_were_due_before(bench: Bench) -> None:
    bench.open(A)
    bench.open(B)
    bench.finish(B)
    bench.engine.read_next()
    assert [task.wish for task in bench.reader.batches[0]] == [Wish.FINAL]


def test_whoever_was_read_longest_ago_is_read_next(bench: Bench) -> None:
    for stream_id in (A, B, C):
        bench.open(stream_id)
    bench.engine.read_next()
    for stream_id in (A, B, C):
        bench.engine.handle(PushAudio(stream_id, SPEECH))
    bench.engine.read_next()
    sizes = [len(task.samples) for task in bench.reader.batches[1]]
    assert max(sizes) > 30000, "C had two seconds when its turn came"
    assert len(sizes) == 2


def test_partials_are_reported_when_two_readings_agree(bench: Bench) -> None:
    bench.open(A)
    bench.engine.read_next()
    assert bench.events() == []
    bench.engine.handle(PushAudio(A, SPEECH))
    bench.engine.read_next()
    assert bench.events() == [TextChanged(A, "hello there")]


def test_a_finish_during_the_reading_of_everything_is_answered_by_it(bench: Bench) -> None:
    bench.open(A, language="auto")
    bench.reader.during = lambda: bench.finish(A)
    bench.engine.read_next()
    [final] = bench.events()
    assert isinstance(final, TextFinal)
    assert (final.text, final.language, final.channel, final.confidence) == ("hello there", "fr", "fr", 0.9)
    assert len(bench.reader.batches) == 1


def test_silence_is_answered_without_the_reader(bench: Bench) -> None:
    bench.engine.handle(OpenRecognition(A, "", "", "en"))
    bench.engine.handle(PushAudio(A, bytes(16000)))
    bench.finish(A)
    [final] = bench.events()
    assert isinstance(final, TextFinal) and final.text == "" and final.audio_ms == 1000.0
    assert bench.reader.batches == []


def test_a_stream_that_is_closed_during_its_reading_says_nothing(bench: Bench) -> None:
    bench.open(A)
    bench.finish(A)
    bench.reader.during = lambda: bench.engine.forget(A)
    bench.engine.read_next()
    assert bench.events() == []


def test_a_failed_reading_fails_its_streams_and_no_others(bench: Bench) -> None:
    for stream_id in (A, B, C):
        bench.open(stream_id)
    bench.finish(A, B)
    bench.reader.fails = "CUDA out of memory"
    bench.reader.during = lambda: bench.engine.forget(B)
    bench.engine.read_next()
    assert bench.events() == [StreamFailed(A, "CUDA out of memory", True)]
    bench.reader.fails = ""
    bench.finish(C)
    bench.engine.read_next()
    assert isinstance(bench.events()[-1], TextFinal)


def test_nothing_needs_to_be_prepared(bench: Bench) -> None:
    bench.engine.handle(PrepareModel(A, ""))
    assert bench.events() == [StreamEnded(A)]


def test_audio_of_an_unknown_stream_is_ignored(bench: Bench) -> None:
    bench.engine.handle(PushAudio(A, SPEECH))
    bench.finish(A)
    assert bench.events() == []
