"""What a caller of a bench says, made by flite."""

from __future__ import annotations

from pathlib import Path

from voicegw.inference.registry import make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.testing.synthetic_caller import CallerVoice


async def make_words(cache: Path, text: str) -> bytes:
    """8 kHz PCM."""
    tts = make_tts("flite", EngineSettings(1, cache))
    await tts.start()
    try:
        return await CallerVoice(tts, "rms").make(text)
    finally:
        await tts.close()
