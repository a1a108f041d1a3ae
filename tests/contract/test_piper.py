"""Piper through its real loading code, with voices of one tone a phoneme."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.contract.tiny_piper import PHONEME_S, make_tiny_voice
from voicegw.base.errors import ProviderError
from voicegw.inference.registry import make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.inference.tts.piper import PiperTts
from voicegw.inference.tts.piper_config import PiperConfig
from voicegw.ports.tts import TtsAudio, TtsRequest
from voicegw.testing.contract_tts import TEXT, TTS_RULES, TtsRule, TtsSubject, collect, samples

pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_tiny_voice(folder / "en", "en_US-anna-low")
    make_tiny_voice(folder / "fr", "fr_FR-paul-low", "fr_FR", speakers=("paul", "marie"))
    return folder


def with_tts(settings: EngineSettings, use: Callable[[PiperTts], Awaitable[None]]) -> None:
    async def run() -> None:
        tts = make_tts("piper", settings)
        assert isinstance(tts, PiperTts)
        await tts.start()
        try:
            await use(tts)
        finally:
            await tts.close()

    asyncio.run(run())


def pcm(chunks: list[object]) -> bytes:
    return b"".join(chunk.pcm for chunk in chunks if isinstance(chunk, TtsAudio))


@pytest.mark.parametrize("rule", TTS_RULES, ids=lambda rule: rule.__name__)
def test_contract(rule: TtsRule, models: Path) -> None:
    async def use(tts: PiperTts) -> None:
        def kill() -> None:
            for pid in tts.pool.pids:
                os.kill(pid, signal.SIGKILL)

        await rule(TtsSubject(tts, kill))

    with_tts(EngineSettings(models_dir=models), use)


def test_voices_languages_and_speakers(models: Path) -> None:
    async def use(tts: PiperTts) -> None:
        assert tts.capabilities.languages == {"en-US", "fr-FR"}
        several = ("fr_FR-paul-low", "fr_FR-paul-low#marie", "fr_FR-paul-low#paul")
        assert tts.capabilities.voices == ("en_US-anna-low", *several)
        [paul, marie] = [
            pcm(
                list(await collect(tts, TtsRequest("bonjour", voice=f"fr_FR-paul-low#{speaker}", language="fr-FR")))
            )
            for speaker in ("paul", "marie")
        ]
        assert len(paul) == len(marie) and paul != marie
        by_language = pcm(list(await collect(tts, TtsRequest("bonjour", language="fr-CA"))))
        assert by_language == paul

    with_tts(EngineSettings(models_dir=models), use)


def test_rate_makes_speech_shorter(models: Path) -> None:
    async def use(tts: PiperTts) -> None:
        normal = samples(await collect(tts, TtsRequest(TEXT)))
        fast = samples(await collect(tts, TtsRequest(TEXT, rate=2.0)))
        assert abs(fast / normal - 0.5) < 0.05

    with_tts(EngineSettings(models_dir=models), use)


def test_only_so_many_voices_stay_in_memory(models: Path) -> None:
    async def use(tts: PiperTts) -> None:
        for language in ("fr-FR", "en-US", "fr-FR"):
            assert samples(await collect(tts, TtsRequest("a", language=language))) > 0

    with_tts(EngineSettings(models_dir=models, piper=PiperConfig(max_loaded=1)), use)


def test_phonemes_of_the_lexicon_are_taken_as_they_are(models: Path) -> None:
    async def use(tts: PiperTts) -> None:
        long = samples(await collect(tts, TtsRequest("yes [[ aaaaaaaaaaaaaaaaaaaa ]]")))
        short = samples(await collect(tts, TtsRequest("yes [[ a ]]")))
        assert 0.8 < (long - short) / 8000 / (19 * 2 * PHONEME_S) < 1.2

    with_tts(EngineSettings(models_dir=models), use)


def test_a_missing_voice_says_how_to_get_it(tmp_path: Path) -> None:
    tts = PiperTts(EngineSettings(models_dir=tmp_path, piper=PiperConfig(voices=("de_DE-eva-low",))))
    with pytest.raises(ProviderError, match="voicegw models pull de_DE-eva-low") as caught:
        asyncio.run(tts.start())
    assert not caught.value.retryable


def test_a_damaged_voice_is_refused(tmp_path: Path) -> None:
    path = make_tiny_voice(tmp_path, "en_US-anna-low")
    path.write_bytes(path.read_bytes()[:1000])
    tts = PiperTts(EngineSettings(models_dir=tmp_path))
    with pytest.raises(ProviderError, match="cannot load"):
        asyncio.run(tts.start())
