"""Whisper by faster-whisper: a hundred languages, on a processor or a GPU, one model for all calls of a worker."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import msgspec

from voicegw.base.errors import ProviderError
from voicegw.inference.asr.pooled import PooledUtterance
from voicegw.inference.messages import OpenRecognition, TextFinal
from voicegw.inference.pool import PoolConfig, WorkerPool
from voicegw.inference.process import WorkerSpec
from voicegw.inference.settings import EngineSettings
from voicegw.ports.asr import AsrCapabilities, AsrOptions

NAME = "whisper"
MAX_CALLERS = 2048
"""Callers whose language is remembered; the one heard longest ago is forgotten first."""


class FasterWhisperAsr:
    """Implements :class:`voicegw.ports.asr.AsrProvider` over a worker pool.

    Each worker holds a model of its own: one is enough until its decodings no longer keep up, and for a GPU always.
    """

    def __init__(self, settings: EngineSettings) -> None:
        if importlib.util.find_spec("faster_whisper") is None:
            raise ImportError("No module named 'faster_whisper'", name="faster_whisper")
        config = settings.whisper
        self.name = NAME
        partials = config.partial_every_s > 0.0
        self.capabilities = AsrCapabilities(8000, partials, phrases=False, slow_final=True)
        self._counters = settings.counters
        arguments = (str(model_folder(config.model, settings.models_dir)), msgspec.json.encode(config).decode())
        self.pool = WorkerPool(
            NAME,
            WorkerSpec("voicegw.inference.asr.faster_whisper_worker", arguments),
            PoolConfig(
                size=settings.workers,
                stall_after_s=config.stall_after_s,
                start_within_s=config.start_within_s,
                recycle_above_kb=config.max_rss_mb * 1024,
            ),
            clock=settings.clock,
            counters=settings.counters,
        )
        self._languages: OrderedDict[str, str] = OrderedDict()

    async def start(self) -> None:
        """Load the model; raises ProviderError naming what is missing."""
        ready = await self.pool.start()
        self.capabilities = replace(self.capabilities, languages=frozenset(ready.languages))

    async def prepare(self, _options: AsrOptions) -> None:
        """Nothing to compile: the model knows all it will ever know. Raises ProviderError if none is alive."""
        if not self.pool.ready:
            raise ProviderError(NAME, "no worker is ready", retryable=True)

    def open(self, options: AsrOptions) -> PooledUtterance:
        """Begin one utterance."""
        job = self.pool.open()
        known = self._languages.get(options.caller, "")
        job.send(OpenRecognition(job.stream_id, "", known, options.language, options.sample_rate_hz))
        return PooledUtterance(job, self.pool, self._counters, lambda final: self._learn(options.caller, final))

    async def close(self) -> None:
        """Stop the workers."""
        await self.pool.close()

    def _learn(self, caller: str, final: TextFinal) -> None:
        if caller and final.channel:
            self._languages[caller] = final.channel
            self._languages.move_to_end(caller)
            if len(self._languages) > MAX_CALLERS:
                self._languages.popitem(last=False)


def model_folder(model: str, models_dir: Path) -> Path:
    """Where a model is: a folder of that path, else of that name in the folder of models."""
    return Path(model).resolve() if Path(model).is_dir() else (models_dir / model).resolve()
