"""Every speech engine against the rules of its port: flite, espeak-ng, PocketSphinx, and the fakes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable
from pathlib import Path

import pytest

from voicegw.inference.pool import WorkerPool
from voicegw.inference.registry import make_asr, make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.ports.asr import AsrOptions
from voicegw.testing.contract_asr import ASR_RULES, AsrRule, AsrSubject
from voicegw.testing.contract_tts import TTS_RULES, TtsRule, TtsSubject
from voicegw.testing.fakes import FakeAsr, FakeTts, Heard
from voicegw.testing.speech_eval import caller_audio

TEXT = "i want to book an appointment"
OPTIONS = AsrOptions(phrases=(TEXT, "cancel my order", "yes", "no"))


def kill_workers(pool: WorkerPool) -> None:
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def speech() -> bytes:
    async def make() -> bytes:
        tts = make_tts("flite", EngineSettings())
        await tts.start()
        try:
            return await caller_audio(tts, TEXT, "rms")
        finally:
            await tts.close()

    return asyncio.run(make())


@pytest.mark.speech
@pytest.mark.parametrize("rule", ASR_RULES, ids=lambda rule: rule.__name__)
def test_pocketsphinx(rule: AsrRule, speech: bytes, tmp_path: Path) -> None:
    async def run() -> None:
        asr = make_asr("pocketsphinx", EngineSettings(cache_dir=tmp_path))
        await asr.start()
        try:
            await rule(AsrSubject(asr, OPTIONS, speech, TEXT, lambda: kill_workers(asr.pool)))
        finally:
            await asr.close()

    asyncio.run(run())


@pytest.mark.parametrize("rule", ASR_RULES, ids=lambda rule: rule.__name__)
def test_fake_asr(rule: AsrRule) -> None:
    script = {
        "no_audio_gives_an_empty_final": [Heard("")],
        "streams_do_not_mix": [Heard(TEXT), Heard("")],
    }
    asr = FakeAsr(script.get(rule.__name__, [Heard(TEXT, partials=("i", "i want"))] * 3))
    subject = AsrSubject(asr, OPTIONS, b"\0" * 3200, TEXT, lambda: asr.streams[-1].break_down())
    asyncio.run(_run(rule(subject)))


@pytest.mark.speech
@pytest.mark.parametrize("rule", TTS_RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", ["flite", "espeak"])
def test_local_voices(name: str, rule: TtsRule) -> None:
    async def run() -> None:
        tts = make_tts(name, EngineSettings())
        await tts.start()
        try:
            await rule(TtsSubject(tts, lambda: kill_workers(tts.pool)))
        finally:
            await tts.close()

    asyncio.run(run())


@pytest.mark.parametrize("rule", TTS_RULES, ids=lambda rule: rule.__name__)
def test_fake_tts(rule: TtsRule) -> None:
    tts = FakeTts()
    asyncio.run(_run(rule(TtsSubject(tts, tts.break_down))))


async def _run(rule: Awaitable[None]) -> None:
    await rule
