"""A synthesiser whose engine runs in worker processes: what flite and espeak have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from voicegw.base.errors import ProviderError
from voicegw.base.ids import StreamId
from voicegw.inference.messages import AudioMade, StreamFailed, Synthesize, WordBegan
from voicegw.inference.pool import PoolConfig, WorkerPool
from voicegw.inference.process import WorkerSpec
from voicegw.inference.settings import EngineSettings
from voicegw.ports.tts import TtsAudio, TtsCapabilities, TtsChunk, TtsRequest, WordMark

MAX_TEXT = 2000
"""Characters in one request: two minutes of speech. The agents cut their text into sentences."""


class PooledTts:
    """Implements :class:`voicegw.ports.tts.TtsProvider` over a worker pool."""

    def __init__(
        self, name: str, spec: WorkerSpec, capabilities: TtsCapabilities, settings: EngineSettings
    ) -> None:
        self.name = name
        self.capabilities = capabilities
        self.pool = WorkerPool(
            name, spec, PoolConfig(size=settings.workers), clock=settings.clock, counters=settings.counters
        )

    async def start(self) -> None:
        """Load voices; raises ProviderError naming the package to install if the engine is missing."""
        ready = await self.pool.start()
        self.capabilities = replace(
            self.capabilities,
            languages=frozenset(ready.languages),
            voices=tuple(ready.voices),
            version=ready.version,
        )

    async def synthesize(self, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        """Audio as it is made. Closing the iterator stops the engine in mid-sentence. Raises ProviderError."""
        if len(request.text) > MAX_TEXT:
            raise ProviderError(self.name, f"more than {MAX_TEXT} characters in one request", retryable=False)
        if not any(c.isalnum() for c in request.text):
            return
        job = self.pool.open()
        job.send(_command(job.stream_id, request))
        self.pool.expect(job)
        try:
            async for event in job.events():
                match event:
                    case AudioMade():
                        yield TtsAudio(event.pcm)
                    case WordBegan():
                        yield WordMark(event.at_sample, event.start_char, event.end_char)
                    case StreamFailed():
                        raise ProviderError(self.name, event.reason, retryable=event.retryable)
                    case _:
                        return
        finally:
            job.close()

    async def close(self) -> None:
        """Stop the workers."""
        await self.pool.close()


def _command(stream_id: StreamId, request: TtsRequest) -> Synthesize:
    return Synthesize(
        stream_id, request.text, request.voice, request.language, request.rate, request.sample_rate_hz
    )
