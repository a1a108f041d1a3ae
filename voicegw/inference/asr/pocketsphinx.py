"""PocketSphinx: the embedded recogniser. English, on the processor, with a domain language model."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict

from voicegw.base.errors import ProviderError
from voicegw.inference.asr.language_model import model_key
from voicegw.inference.asr.model_store import CALLERS
from voicegw.inference.asr.pooled import PooledUtterance
from voicegw.inference.messages import (
    DefineModel,
    OpenRecognition,
    PrepareModel,
    StreamFailed,
    TextFinal,
)
from voicegw.inference.pool import PoolConfig, WorkerPool
from voicegw.inference.process import WorkerSpec
from voicegw.inference.settings import EngineSettings
from voicegw.ports.asr import AsrCapabilities, AsrOptions

NAME = "pocketsphinx"
MAX_CALLERS = 2048
"""Callers whose voice and line are remembered; the one heard longest ago is forgotten first."""
MIN_LEARNT_MS = 1000.0
"""Shorter utterances say more about their own sounds than about the line."""


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

    def open(self, options: AsrOptions) -> PooledUtterance:
        """Begin one utterance."""
        key = self._define(options)
        job = self.pool.open()
        channel = self._channels.get(options.caller, "")
        job.send(OpenRecognition(job.stream_id, key, channel, rate_hz=options.sample_rate_hz))
        return PooledUtterance(job, self.pool, self._counters, lambda final: self._learn(options.caller, final))

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
            key = self._keys[content] = model_key(options.phrases, options.boost, CALLERS)
        self.pool.define(key, DefineModel(key, options.phrases, options.boost))
        return key

    def _learn(self, caller: str, final: TextFinal) -> None:
        if caller and final.text and final.audio_ms >= MIN_LEARNT_MS:
            self._channels[caller] = final.channel
            self._channels.move_to_end(caller)
            if len(self._channels) > MAX_CALLERS:
                self._channels.popitem(last=False)
