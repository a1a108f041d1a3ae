"""What callers of the appointment line say, by two voices, for the benches of bad networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.inference.registry import make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.ports.tts import TtsAudio, TtsProvider, TtsRequest
from voicegw.testing.speech_eval import on_the_line

Pcm = NDArray[np.int16]

SENTENCES: Final = (
    "i want to book an appointment",
    "next tuesday at half past ten",
    "my account number is four seven one nine zero two",
    "no i said thursday in the afternoon",
    "please connect me to somebody",
    "yes that is right thank you",
)
VOICES: Final = ("rms", "slt")
WORDS: Final = sum(len(sentence.split()) for sentence in SENTENCES)


async def say_by_phone(sentences: Sequence[str], rate_hz: int) -> dict[str, list[Pcm]]:
    """Each sentence by each voice, as it comes to a telephone of this rate."""
    made = await say(sentences, rate_hz)
    return {voice: [_on_the_line(pcm, rate_hz) for pcm in each] for voice, each in made.items()}


async def say(texts: Sequence[str], rate_hz: int) -> dict[str, list[Pcm]]:
    """Texts by each voice, as the engine makes them."""
    tts = make_tts("flite", EngineSettings())
    await tts.start()
    try:
        return {voice: [await _spoken(tts, text, voice, rate_hz) for text in texts] for voice in VOICES}
    finally:
        await tts.close()


async def _spoken(tts: TtsProvider, text: str, voice: str, rate_hz: int) -> Pcm:
    request = TtsRequest(text, voice=voice, sample_rate_hz=rate_hz)
    pcm = b"".join([chunk.pcm async for chunk in tts.synthesize(request) if isinstance(chunk, TtsAudio)])
    return np.frombuffer(pcm, np.int16)


def _on_the_line(pcm: Pcm, rate_hz: int) -> Pcm:
    return np.frombuffer(on_the_line(pcm.tobytes(), rate_hz=rate_hz), np.int16)
