"""PocketSphinx: the embedded recogniser. English, on the processor, with a domain language model."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.inference.asr.language_model import LmConfig, model_key
from voicegw.inference.job import Job
from voicegw.inference.messages import (
    DefineModel,
    FinishRecognition,
    OpenRecognition,
    PrepareModel,
    PushAudio,
    StreamFailed,
    TextChanged,
    TextFinal,
)
from voicegw.inference.pool import PoolConfig, WorkerPool
from voicegw.inference.process import WorkerSpec
from voicegw.inference.settings import EngineSettings
from voicegw.ports.asr import AsrCapabilities, AsrEvent, AsrFailed, AsrFinal, AsrOptions, AsrPartial

NAME = "pocketsphinx"
MAX_CALLERS = 2048
"""Callers whose voice and line are remembered; the one heard longest ago is forgotten first."""
MIN_LEARNT_MS = 1000.0
"""Shorter utterances say more about their own sounds than about the line."""
MAX_UTTERANCE_BYTES = 60 * 16000
"""A minute: what is pushed beyond that is dropped and counted; endpointing has failed long before."""


class PocketSphinxAsr:
    """Implements :class:`voicegw.ports.asr.AsrProvider` over a worker pool."""

    def __init__(self, settings: EngineSettings) -> None:
        if importlib.util.find_spec("pocketsphinx") is None:
            raise ImportError("No module named 'pocketsphinx'", name="pocketsphinx")
        self.name = NAME
        self.capabilities = AsrCapabilities(8000, partials=True, phrases=True, languages=frozenset({"en-US"}))
        spec = WorkerSpec("voicegw.inference.asr.pocketsphinx_worker", (str(settings.cache_dir / "asr"),))
        self._counters = settings.counters
        self.pool = WorkerPool(
            NAME, spec, PoolConfig(size=settings.workers), clock=settings.clock, counters=settings.counters
        )
        self._keys: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}
        self._channels: OrderedDict[str, str] = OrderedDict()

    async def start(self) -> None:
        """Start the workers; raises ProviderError."""
        await self.pool.start()

    async def prepare(self, options: AsrOptions) -> None:
        """Compile and cache the language model of ``options``; raises ProviderError."""
        job = self.pool.open()
        job.send(PrepareModel(job.stream_id, self._define(options)))
        try:
            async for event in job.events():
                if isinstance(event, StreamFailed):
                    raise ProviderError(NAME, event.reason, retryable=event.retryable)
        finally:
            job.close()

    def open(self, options: AsrOptions) -> PocketSphinxStream:
        """Begin one utterance."""
        key = self._define(options)
        job = self.pool.open()
        job.send(OpenRecognition(job.stream_id, key, self._channels.get(options.caller, "")))
        return PocketSphinxStream(job, self.pool, self._counters, lambda final: self._learn(options.caller, final))

    async def close(self) -> None:
        """Stop the workers."""
        await self.pool.close()

    def _define(self, options: AsrOptions) -> str:
        """The key of the model of these options, which the workers then know."""
        if not options.phrases and not options.boost:
            return ""
        content = (options.phrases, options.boost)
        key = self._keys.get(content)
        if key is None:
            if len(self._keys) >= MAX_CALLERS:
                self._keys.clear()
            key = self._keys[content] = model_key(options.phrases, options.boost, LmConfig())
        self.pool.define(key, DefineModel(key, options.phrases, options.boost))
        return key

    def _learn(self, caller: str, final: TextFinal) -> None:
        if caller and final.text and final.audio_ms >= MIN_LEARNT_MS:
            self._channels[caller] = final.channel
            self._channels.move_to_end(caller)
            if len(self._channels) > MAX_CALLERS:
                self._channels.popitem(last=False)


class PocketSphinxStream:
    """One utterance; see :class:`voicegw.ports.asr.AsrStream`."""

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
                    yield AsrFinal(event.text, event.confidence, event.audio_ms, event.decode_ms)
                case StreamFailed():
                    yield AsrFailed(event.reason, event.retryable)
                case _:
                    return
