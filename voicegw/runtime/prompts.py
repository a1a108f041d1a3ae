"""Prompts: what agents say to everybody, made ahead of the first call and kept on disk.

They play at once, without an engine, after a restart too, and when every engine is dead: the last words of a call
that has lost everything are among them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from voicegw.agents.agent import Agent
from voicegw.agents.sentences import split_sentences
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.ports.tts import TtsChunk, TtsProvider, TtsRequest
from voicegw.runtime.house_texts import HouseTexts
from voicegw.runtime.phrase_cache import PhraseCache
from voicegw.runtime.prompt_files import PromptFiles, file_name
from voicegw.runtime.watched_voice import WatchedVoice

log = logging.getLogger(__name__)

REST = 1.0
"""Seconds of rest after each second of making prompts: callers share the engines and the processor with us."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One piece of audio that is wanted: by one engine, under the name of its file."""

    engine: WatchedVoice
    request: TtsRequest
    file: str


Variants = tuple[Prompt, ...]
"""The same words by each engine that could say them, in order of preference."""


class PromptMaker:
    """Fills the pinned shelf of ``cache``. ``files`` is None where nothing is to be kept on disk."""

    def __init__(self, cache: PhraseCache, files: PromptFiles | None, counters: Counters) -> None:
        self._cache = cache
        self._files = files
        self._counters = counters
        self._making: asyncio.Task[None] | None = None

    async def prepare(self, wanted: Sequence[Variants]) -> None:
        """Take what is on disk now, and make the rest in the background; what was begun before is given up."""
        await self.close()
        self._cache.unpin_all_but({(p.engine.name, p.request) for variants in wanted for p in variants})
        if self._files is not None:
            found = await asyncio.to_thread(_read, self._files, wanted)
            self._counters.add("prompts_loaded", len(found))
            for prompt, chunks in found:
                self._cache.pin(prompt.engine.name, prompt.request, chunks)
        self._making = asyncio.create_task(self._make_all(wanted), name="prompts")

    async def wait(self) -> None:
        """Until everything is made that can be."""
        if self._making is not None:
            await asyncio.wait({self._making})

    async def close(self) -> None:
        """Make no more."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait({self._making})
            self._making = None

    async def _make_all(self, wanted: Sequence[Variants]) -> None:
        loop = asyncio.get_running_loop()
        for variants in wanted:
            if self._cache.pinned(variants[0].engine.name, variants[0].request):
                continue
            began = loop.time()
            await self._make(variants)
            await asyncio.sleep((loop.time() - began) * REST)
        if self._files is not None:
            names = {prompt.file for variants in wanted for prompt in variants}
            self._counters.add("prompts_deleted", await asyncio.to_thread(self._files.keep_only, names))

    async def _make(self, variants: Variants) -> None:
        """By the first engine that can, unless a lesser one's is there already and the first is still down."""
        for prompt in variants:
            if self._cache.pinned(prompt.engine.name, prompt.request):
                return
            try:
                chunks = [chunk async for chunk in prompt.engine.synthesize(prompt.request)]
            except ProviderError as error:
                log.warning("a prompt is left for later: %s", error)
                continue
            if chunks:
                await self._keep(prompt, chunks)
            return

    async def _keep(self, prompt: Prompt, chunks: Sequence[TtsChunk]) -> None:
        if not self._cache.pin(prompt.engine.name, prompt.request, chunks):
            log.warning("there are more prompts than memory is set aside for")
            return
        self._counters.add("prompts_made")
        if self._files is not None:
            engine, text = prompt.engine.name, prompt.request.text
            await asyncio.to_thread(self._files.write, prompt.file, engine, text, chunks)


def wanted_prompts(
    agents: Iterable[Agent],
    house: HouseTexts | None,
    engines: Sequence[WatchedVoice],
    fitted: Callable[[TtsProvider, TtsRequest], TtsRequest | None],
) -> tuple[Variants, ...]:
    """Every piece of every prompt as it will be asked for, each once.

    ``house`` are the texts of the server itself, None for no such prompts; ``fitted`` makes an engine's own
    request, None where it does not speak the language. A text is cut differently when nothing is being said before
    it, so both ways are wanted.
    """
    found: dict[tuple[str, TtsRequest], Variants] = {}
    for agent in agents:
        for asked in _asked(agent, house):
            variants = tuple(_variants(agent, asked, engines, fitted))
            if variants:
                found.setdefault((variants[0].engine.name, variants[0].request), variants)
    return tuple(found.values())


def _asked(agent: Agent, house: HouseTexts | None) -> Iterator[TtsRequest]:
    """Every language of the agent with its voice, its own first: what is needed most is made first."""
    voices = {agent.language: agent.voice, **agent.languages}
    for language, voice in voices.items():
        for text in agent.prompts(language):
            for piece in _pieces(text, language):
                yield TtsRequest(piece, voice, language)
        if house is None:
            continue
        said_in = house.language_for(language)
        for text in house.of(language).all:
            for piece in _pieces(text, said_in):
                yield TtsRequest(piece, voices.get(said_in, ""), said_in)


def _pieces(text: str, language: str) -> Iterator[str]:
    ways = [split_sentences(text, language, hurried=hurried) for hurried in (True, False)]
    yield from dict.fromkeys(piece for way in ways for piece in way)


def _variants(
    agent: Agent,
    asked: TtsRequest,
    engines: Sequence[WatchedVoice],
    fitted: Callable[[TtsProvider, TtsRequest], TtsRequest | None],
) -> Iterator[Prompt]:
    for engine in engines:
        reading = agent.lexicon.of(asked.language).said(asked.text, engine.name)
        request = fitted(engine.provider, replace(asked, text=reading)) if reading else None
        if request is not None:
            version = engine.provider.capabilities.version
            yield Prompt(engine, request, file_name(engine.name, version, request))


def _read(files: PromptFiles, wanted: Sequence[Variants]) -> list[tuple[Prompt, tuple[TtsChunk, ...]]]:
    """Of each prompt the best variant that is there."""
    found: list[tuple[Prompt, tuple[TtsChunk, ...]]] = []
    for variants in wanted:
        for prompt in variants:
            if chunks := files.read(prompt.file):
                found.append((prompt, chunks))
                break
    return found
