"""faster-whisper through its real loading code, with a model of one layer that says one sentence."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.contract.tiny_whisper import make_tiny_whisper
from voicegw.base.errors import ProviderError
from voicegw.inference.asr.faster_whisper import FasterWhisperAsr
from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.pool import WorkerPool
from voicegw.inference.registry import make_asr
from voicegw.inference.settings import EngineSettings
from voicegw.ports.asr import AsrFinal, AsrOptions
from voicegw.testing.contract_asr import (
    ASR_RULES,
    AsrRule,
    AsrSubject,
    collect,
    feed,
    partials_differ_from_each_other,
)

TEXT = "i want to book an appointment"
TINY = WhisperConfig(model="tiny", cpu_threads=1, partial_every_s=0.5, stall_after_s=10.0)
ENGLISH, AUTO = AsrOptions("en-US"), AsrOptions("auto", caller="anna")

pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_tiny_whisper(folder / "tiny", TEXT)
    make_tiny_whisper(folder / "tiny-fr", "oui", language="fr")
    return folder


def sound(seconds: float, quiet_s: float = 0.4) -> bytes:
    """Something that is loud and then quiet, as an utterance is when its end has been noticed."""
    noise = np.random.default_rng(1).normal(0.0, 2000.0, round(seconds * 8000))
    return np.concatenate([noise, np.zeros(round(quiet_s * 8000))]).astype("<i2").tobytes()


def settings(models: Path, **changes: object) -> EngineSettings:
    return EngineSettings(models_dir=models, whisper=replace(TINY, **changes))  # type: ignore[arg-type]


def with_asr(made: EngineSettings, use: Callable[[FasterWhisperAsr], Awaitable[None]]) -> None:
    async def run() -> None:
        asr = make_asr("whisper", made)
        assert isinstance(asr, FasterWhisperAsr)
        await asr.start()
        try:
            await use(asr)
        finally:
            await asr.close()

    asyncio.run(run())


def kill_workers(pool: WorkerPool) -> None:
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("rule", ASR_RULES, ids=lambda rule: rule.__name__)
def test_contract(rule: AsrRule, models: Path) -> None:
    async def use(asr: FasterWhisperAsr) -> None:
        # A partial text is certain only where the utterance is too long to be read at once.
        long = rule is partials_differ_from_each_other
        speech = sound(25.0) + sound(9.0) if long else sound(2.0)
        await rule(AsrSubject(asr, ENGLISH, speech, TEXT, lambda: kill_workers(asr.pool)))

    with_asr(settings(models), use)


def test_language_is_found_and_reported(models: Path) -> None:
    async def use(asr: FasterWhisperAsr) -> None:
        stream = asr.open(AUTO)
        feed(AsrSubject(asr, AUTO, b"", "", lambda: None), stream, sound(1.0))
        stream.finish()
        final = (await collect(stream))[-1]
        assert isinstance(final, AsrFinal)
        assert (final.text, final.language) == ("oui", "fr")
        assert final.confidence > 0.5

    with_asr(settings(models, model="tiny-fr"), use)


def test_many_callers_share_one_model(models: Path) -> None:
    async def use(asr: FasterWhisperAsr) -> None:
        streams = [asr.open(ENGLISH) for _ in range(10)]
        for stream in streams:
            stream.push(sound(1.0))
        for stream in streams:
            stream.finish()
        finals = [(await collect(stream))[-1] for stream in streams]
        assert [final.text for final in finals if isinstance(final, AsrFinal)] == [TEXT] * 10

    with_asr(settings(models, partial_every_s=0.0, max_batch=4), use)


def test_a_long_utterance_is_read_in_pieces(models: Path) -> None:
    async def use(asr: FasterWhisperAsr) -> None:
        stream = asr.open(ENGLISH)
        stream.push(sound(25.0) + sound(9.0))
        stream.finish()
        final = (await collect(stream))[-1]
        assert isinstance(final, AsrFinal) and final.text == f"{TEXT} {TEXT}"

    with_asr(settings(models, partial_every_s=0.0), use)


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    asr = FasterWhisperAsr(EngineSettings(models_dir=tmp_path))
    with pytest.raises(ProviderError, match="voicegw models pull whisper-base") as caught:
        asyncio.run(asr.start())
    assert not caught.value.retryable


def test_a_damaged_model_is_refused(models: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in (models / "tiny").iterdir():
        (broken / file.name).write_bytes(file.read_bytes()[:5000])
    asr = FasterWhisperAsr(settings(tmp_path, model="broken"))
    with pytest.raises(ProviderError, match="cannot load"):
        asyncio.run(asr.start())
