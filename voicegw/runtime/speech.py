"""The speech engines of a node: one recogniser, and synthesisers in order of preference."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from voicegw.agents.agent import Agent
from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.base.clock import Clock, SystemClock
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.ports.asr import AsrOptions, AsrProvider
from voicegw.ports.eot import EotModel
from voicegw.ports.tts import Reading, SpokenChunk, TtsAudio, TtsChunk, TtsProvider, TtsRequest
from voicegw.runtime.house_texts import HouseTexts
from voicegw.runtime.phrase_cache import PhraseCache
from voicegw.runtime.prompt_files import PromptFiles
from voicegw.runtime.prompts import PromptMaker, wanted_prompts
from voicegw.runtime.watched_voice import VoicePatience, WatchedVoice

log = logging.getLogger(__name__)

Turn: TypeAlias = tuple[WatchedVoice, TtsRequest]
"""An engine and the request in its own terms."""
PROMPT_HZ = 8000
Make: TypeAlias = Callable[[TtsRequest], AsyncGenerator[TtsChunk, None]]


class Speech:
    """Starts and stops the engines; synthesises with the first one that speaks the language and works.

    ``house`` is what the server itself says in any call; with what agents say to everybody it is made ahead and
    kept in ``prompt_files``.
    """

    def __init__(
        self,
        asr: AsrProvider,
        tts: Sequence[TtsProvider],
        counters: Counters,
        *,
        clock: Clock | None = None,
        patience: VoicePatience | None = None,
        prompt_files: PromptFiles | None = None,
        house: HouseTexts | None = None,
        eot: EotModel | None = None,
        gauges: Callable[[], dict[str, float]] = dict,
        keeps_up: Callable[[], bool] = lambda: True,
    ) -> None:
        """``gauges``: levels of the engines, for metrics. ``keeps_up``: whether they could serve one more call."""
        self.asr = asr
        self.gauges = gauges
        self.keeps_up = keeps_up
        self.eot = eot
        self._clock, patience = clock or SystemClock(), patience or VoicePatience()
        self._tts = tuple(WatchedVoice(provider, patience, self._clock, counters) for provider in tts)
        self._counters = counters
        self._phrases = PhraseCache()
        self._house = house
        self.prompts = PromptMaker(self._phrases, prompt_files, counters)

    async def start(self) -> None:
        """Start all engines at once. A synthesiser that does not start is left out as long as another does."""
        recogniser, *synthesisers = await asyncio.gather(
            _failure(self.asr.start()), *(_failure(voice.provider.start()) for voice in self._tts)
        )
        for failure in filter(None, synthesisers):
            log.warning("synthesiser left out: %s", failure)
        if self.eot is not None and (missing := await _failure(self.eot.start())):
            log.warning("turns end without the end-of-turn model: %s", missing)
        self._tts = tuple(tts for tts, failure in zip(self._tts, synthesisers, strict=True) if failure is None)
        if recogniser is not None:
            raise recogniser
        if not self._tts:
            reasons = "; ".join(str(failure) for failure in synthesisers)
            raise ProviderError("tts", reasons or "none is configured", retryable=False)

    async def prepare(self, agents: Iterable[Agent]) -> None:
        """Make the recogniser's models for whatever these agents may hear, so that no caller waits for one.

        What cannot be made now is made when it is needed: a warning, no error. Prompts that are not on disk are
        made in the background.
        """
        agents = list(agents)
        await self.prompts.prepare(wanted_prompts(agents, self._house, self._tts, _request_for))
        for agent in agents:
            for options in _listened_for(agent):
                try:
                    await self.asr.prepare(options)
                except ProviderError as error:
                    log.warning("a language model is left for later: %s", error, extra={"agent": agent.name})

    async def close(self) -> None:
        """Stop all engines."""
        await self.prompts.close()
        await self.asr.close()
        if self.eot is not None:
            await self.eot.close()
        for voice in self._tts:
            await voice.provider.close()

    async def synthesize(self, request: TtsRequest, lexicon: Lexicons = NO_WORDS) -> AsyncIterator[SpokenChunk]:
        """Audio of one written sentence, each engine with its own reading of it: numbers and names in words.

        A prompt plays from memory, whatever the engines do. An engine that fails before its first sample, or has
        none in time, is replaced by the next one. Raises :class:`ProviderError` when none can speak, or when one
        fails in mid-sentence (the caller has heard a part; another voice would say it again).
        """
        last = ProviderError("tts", f"no engine speaks {request.language}", retryable=False)
        turns = [(voice, own) for voice in self._tts if (own := _request_for(voice.provider, request)) is not None]
        turns = self._in_order(turns, lexicon)
        began = self._clock.monotonic()
        for voice, own in turns:
            reading = lexicon.of(request.language).said(request.text, voice.name)
            if not reading:
                return
            heard = False
            try:
                yield Reading(reading)
                gone_ms = (self._clock.monotonic() - began) * 1000
                patience = partial(voice.synthesize, last=voice is turns[-1][0], gone_ms=gone_ms)
                made = self._made_by(voice.name, replace(own, text=reading), patience)
                async with aclosing(made) as chunks:
                    async for chunk in chunks:
                        heard = heard or isinstance(chunk, TtsAudio)
                        yield chunk
                return
            except ProviderError as error:
                if heard:
                    raise
                last = error
        raise last

    def _in_order(self, turns: list[Turn], lexicon: Lexicons) -> list[Turn]:
        """Those that are left alone come last, unless they have said these words as a prompt."""

        def must_wait(turn: Turn) -> bool:
            voice, own = turn
            reading = lexicon.of(own.language).said(own.text, voice.name)
            prompt = replace(own, text=reading, sample_rate_hz=PROMPT_HZ)
            return not voice.allowed and not self._phrases.pinned(voice.name, prompt)

        return sorted(turns, key=must_wait)

    async def _made_by(self, name: str, request: TtsRequest, make: Make) -> AsyncGenerator[TtsChunk, None]:
        """From memory, or from the engine and into memory. A sentence that is not wanted to its end is not kept."""
        if known := self._phrases.pinned(name, request):
            self._counters.add("tts_from_prompts")
        elif known := self._phrases.get(name, request):
            self._counters.add("tts_from_memory")
        if known:
            for chunk in known:
                yield chunk
            return
        made: list[TtsChunk] = []
        try:
            async with aclosing(make(request)) as chunks:
                async for chunk in chunks:
                    made.append(chunk)
                    yield chunk
        except ProviderError:
            prompt = [] if made else self._narrow_prompt(name, request)
            if not prompt:
                raise
            self._counters.add("tts_from_prompts")
            for chunk in prompt:
                yield chunk
            return
        self._phrases.put(name, request, made)

    def _narrow_prompt(self, name: str, request: TtsRequest) -> Sequence[TtsChunk]:
        """Prompts are kept at 8 kHz: better than nothing in a call of 16."""
        scale = request.sample_rate_hz // PROMPT_HZ
        known = self._phrases.pinned(name, replace(request, sample_rate_hz=PROMPT_HZ)) or ()
        return [_at_8_khz(chunk, scale) for chunk in known]


def _listened_for(agent: Agent) -> Iterable[AsrOptions]:
    """What the recogniser is asked for in a call: at each question, and where the caller speaks without one."""
    questions = [AsrOptions(agent.language, each.phrases, each.boost) for each in agent.expectations()]
    phrases = agent.phrases()
    return dict.fromkeys([*questions, AsrOptions(agent.language, phrases)] if phrases else questions)


def _at_8_khz(chunk: TtsChunk, scale: int) -> TtsChunk:
    """As it is, but told in terms of a request for ``scale`` times that rate."""
    if isinstance(chunk, TtsAudio):
        return TtsAudio(chunk.pcm, PROMPT_HZ)
    return replace(chunk, at_sample=chunk.at_sample * scale)


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


def _request_for(provider: TtsProvider, request: TtsRequest) -> TtsRequest | None:
    """The request with a voice that this engine has, for a fallback speaks with its own; None if it does not know
    the language."""
    if not _speaks(provider, request.language):
        return None
    voices = provider.capabilities.voices
    return request if not request.voice or request.voice in voices else replace(request, voice="")
