"""The Whisper engine of a worker: one model reads for all callers, together.

Two threads. The first takes in commands, answers pings and answers at once what needs no reading; the second reads
whatever is due, in batches, as fast as the machine allows. What they share is behind one lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from voicegw.base.ids import StreamId
from voicegw.inference.asr.faster_whisper_batch import next_batch
from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.asr.faster_whisper_text import Reading
from voicegw.inference.asr.faster_whisper_utterance import Task, Utterance, Wish
from voicegw.inference.messages import (
    Command,
    Event,
    FinishRecognition,
    OpenRecognition,
    PrepareModel,
    PushAudio,
    StreamEnded,
    StreamFailed,
    TextChanged,
    TextFinal,
)
from voicegw.inference.worker import WorkerChannel


class Reader(Protocol):
    """A loaded model; :class:`~voicegw.inference.asr.faster_whisper_model.WhisperReader`."""

    def read(self, tasks: Sequence[Task]) -> list[Reading]:
        """One decoding of each, together. Raises RuntimeError (a GPU out of memory, say)."""
        ...


class WhisperEngine:
    """Utterances by stream. ``handle`` and ``forget`` belong to the first thread, ``read_next`` to the second."""

    def __init__(self, channel: WorkerChannel, reader: Reader, config: WhisperConfig) -> None:
        self._channel = channel
        self._reader = reader
        self._config = config
        self._utterances: dict[StreamId, Utterance] = {}
        self._changed = threading.Condition()

    def handle(self, command: Command) -> None:
        """Do one command."""
        match command:
            case PrepareModel():
                self._channel.send(StreamEnded(command.stream_id))  # there is one model, and it is loaded
                self._channel.ended(command.stream_id)
            case OpenRecognition():
                with self._changed:
                    utterance = Utterance(self._config, command.language, command.channel, command.rate_hz)
                    self._utterances[command.stream_id] = utterance
            case PushAudio() | FinishRecognition():
                self._grow(command)
            case _:
                return

    def forget(self, stream_id: StreamId) -> None:
        """Drop an utterance nobody waits for; a reading of it that is under way comes to nothing."""
        with self._changed:
            self._utterances.pop(stream_id, None)

    def read_next(self) -> None:
        """Wait until something is to be read, read it and report. Raises ParentGone."""
        with self._changed:
            while not (batch := self._batch()):
                self._changed.wait()
            tasks = [utterance.begin() for _, utterance in batch]
        begin = time.monotonic()
        readings, failure = self._read(tasks)
        spent_ms = (time.monotonic() - begin) * 1000.0
        for number, (stream_id, utterance) in enumerate(batch):
            if failure:
                self._fail(stream_id, failure)
            else:
                self._report(stream_id, utterance, readings[number], spent_ms)

    def _grow(self, command: PushAudio | FinishRecognition) -> None:
        with self._changed:
            utterance = self._utterances.get(command.stream_id)
            if utterance is None:
                return
            if isinstance(command, PushAudio):
                utterance.push(command.pcm)
            else:
                utterance.finish()
            wish = utterance.wish()
            if wish is not Wish.ANSWER:
                if wish is not Wish.NOTHING:
                    self._changed.notify()
                return
            answer = self._end(command.stream_id, utterance)
        self._channel.send(answer)

    def _batch(self) -> list[tuple[StreamId, Utterance]]:
        wishes = [(item, item[1].wish()) for item in self._utterances.items()]
        return next_batch(wishes, self._config.max_batch)

    def _read(self, tasks: list[Task]) -> tuple[list[Reading], str]:
        try:
            return self._reader.read(tasks), ""
        except RuntimeError as error:  # the engine's own: no memory left on the GPU, a lost device
            return [], str(error)

    def _report(self, stream_id: StreamId, utterance: Utterance, reading: Reading, spent_ms: float) -> None:
        event: Event | None = None
        with self._changed:
            if self._utterances.pop(stream_id, None) is None:
                return
            self._utterances[stream_id] = utterance  # at the end of the queue: the others come first
            stable = utterance.take(reading, spent_ms)
            if stable is not None:
                event = TextChanged(stream_id, stable)
            if utterance.wish() is Wish.ANSWER:
                event = self._end(stream_id, utterance)
        if event is not None:
            self._channel.send(event)

    def _end(self, stream_id: StreamId, utterance: Utterance) -> TextFinal:
        self._utterances.pop(stream_id, None)
        self._channel.ended(stream_id)
        language = utterance.heard_language
        return TextFinal(
            stream_id,
            utterance.text,
            utterance.confidence,
            utterance.audio_ms,
            utterance.decode_ms,
            channel=language if utterance.text else "",
            language=language,
        )

    def _fail(self, stream_id: StreamId, reason: str) -> None:
        with self._changed:
            if self._utterances.pop(stream_id, None) is None:
                return
            self._channel.ended(stream_id)
        self._channel.send(StreamFailed(stream_id, reason, True))
