"""The speech engines of a node: one recogniser, and synthesisers in order of preference."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from dataclasses import replace

from voicegw.agents.agent import Agent
from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.ports.asr import AsrOptions, AsrProvider
from voicegw.ports.tts import Reading, SpokenChunk, TtsAudio, TtsChunk, TtsProvider, TtsRequest
from voicegw.runtime.phrase_cache import PhraseCache

log = logging.getLogger(__name__)


class Speech:
    """Starts and stops the engines; synthesises with the first one that speaks the language and works."""

    def __init__(self, asr: AsrProvider, tts: Sequence[TtsProvider], counters: Counters) -> None:
        self.asr = asr
        self._tts = tuple(tts)
        self._counters = counters
        self._phrases = PhraseCache()

    async def start(self) -> None:
        """Start all engines at once. A synthesiser that does not start is left out as long as another does."""
        recogniser, *synthesisers = await asyncio.gather(
            _failure(self.asr.start()), *(_failure(provider.start()) for provider in self._tts)
        )
        for failure in filter(None, synthesisers):
            log.warning("synthesiser left out: %s", failure)
        self._tts = tuple(tts for tts, failure in zip(self._tts, synthesisers, strict=True) if failure is None)
        if recogniser is not None:
            raise recogniser
        if not self._tts:
            reasons = "; ".join(str(failure) for failure in synthesisers)
            raise ProviderError("tts", reasons or "none is configured", retryable=False)

    async def prepare(self, agents: Iterable[Agent]) -> None:
        """Make the recogniser's models for everything these agents may ask, so that no caller waits for one.

        What cannot be made now is made when it is needed: a warning, no error.
        """
        for agent in agents:
            for expected in agent.expectations():
                options = AsrOptions(agent.language, expected.phrases, expected.boost)
                try:
                    await self.asr.prepare(options)
                except ProviderError as error:
                    log.warning("a language model is left for later: %s", error, extra={"agent": agent.name})

    async def close(self) -> None:
        """Stop all engines."""
        await self.asr.close()
        for provider in self._tts:
            await provider.close()

    async def synthesize(self, request: TtsRequest, lexicon: Lexicons = NO_WORDS) -> AsyncIterator[SpokenChunk]:
        """Audio of one written sentence, each engine with its own reading of it: numbers and names in words.

        An engine that fails before its first sample is replaced by the next one. Raises :class:`ProviderError`
        when none can speak, or when one fails in mid-sentence (the caller has heard a part; another voice would
        say it again).
        """
        last = ProviderError("tts", f"no engine speaks {request.language}", retryable=False)
        for provider in self._tts:
            if not _speaks(provider, request.language):
                continue
            reading = lexicon.of(request.language).said(request.text, provider.name)
            if not reading:
                return
            heard = False
            try:
                yield Reading(reading)
                async for chunk in self._made_by(provider, _fitted(provider, replace(request, text=reading))):
                    heard = heard or isinstance(chunk, TtsAudio)
                    yield chunk
                return
            except ProviderError as error:
                self._counters.add(f"tts_failed_{provider.name}")
                log.warning("synthesis failed: %s", error)
                if heard:
                    raise
                last = error
        raise last

    async def _made_by(self, provider: TtsProvider, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        """From memory, or from the engine and into memory. A sentence that is not wanted to its end is not kept."""
        if known := self._phrases.get(provider.name, request):
            self._counters.add("tts_from_memory")
            for chunk in known:
                yield chunk
            return
        made: list[TtsChunk] = []
        async for chunk in provider.synthesize(request):
            made.append(chunk)
            yield chunk
        self._phrases.put(provider.name, request, made)


async def _failure(starting: Awaitable[None]) -> ProviderError | None:
    try:
        await starting
    except ProviderError as error:
        return error
    return None


def _speaks(provider: TtsProvider, language: str) -> bool:
    known = provider.capabilities.languages
    base = language.split("-")[0].lower()
    return not known or any(tag.split("-")[0].lower() == base for tag in known)


def _fitted(provider: TtsProvider, request: TtsRequest) -> TtsRequest:
    """The request with a voice that this engine has: a fallback speaks with its own."""
    voices = provider.capabilities.voices
    return request if not request.voice or request.voice in voices else replace(request, voice="")
