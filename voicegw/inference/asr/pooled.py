"""An utterance whose recogniser runs in a worker process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from voicegw.base.metrics import Counters
from voicegw.inference.job import Job
from voicegw.inference.messages import FinishRecognition, PushAudio, StreamFailed, TextChanged, TextFinal
from voicegw.inference.pool import WorkerPool
from voicegw.ports.asr import AsrEvent, AsrFailed, AsrFinal, AsrPartial

MAX_UTTERANCE_BYTES = 60 * 16000
"""A minute at 8 kHz: what is pushed beyond that is dropped and counted; endpointing has failed long before."""


class PooledUtterance:
    """Implements :class:`voicegw.ports.asr.AsrStream` on a job of a pool; ``learn`` sees the final message."""

    def __init__(self, job: Job, pool: WorkerPool, counters: Counters, learn: Callable[[TextFinal], None]) -> None:
        self._job = job
        self._pool = pool
        self._counters = counters
        self._learn = learn
        self._pushed_bytes = 0
        self._finished = False

    def push(self, pcm: bytes) -> None:
        """Feed 8 kHz PCM."""
        if self._finished:
            return
        self._pushed_bytes += len(pcm)
        if self._pushed_bytes > MAX_UTTERANCE_BYTES:
            self._counters.add("asr_audio_dropped")
            return
        self._job.send(PushAudio(self._job.stream_id, pcm))

    def finish(self) -> None:
        """The utterance is over."""
        if not self._finished:
            self._finished = True
            self._pool.expect(self._job)
            self._job.send(FinishRecognition(self._job.stream_id))

    def close(self) -> None:
        """Throw the stream away."""
        self._finished = True
        self._job.close()

    async def events(self) -> AsyncIterator[AsrEvent]:
        """Partial results as they change, then one final or failed event."""
        async for event in self._job.events():
            match event:
                case TextChanged():
                    yield AsrPartial(event.text)
                case TextFinal():
                    self._learn(event)
                    yield AsrFinal(event.text, event.confidence, event.audio_ms, event.decode_ms, event.language)
                case StreamFailed():
                    yield AsrFailed(event.reason, event.retryable)
                case _:
                    return
