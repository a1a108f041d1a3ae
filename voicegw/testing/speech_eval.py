"""How well a recogniser understands telephone callers: synthetic speech, the way through G.711, and the score."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voicegw.audio.g711 import Law, decode, encode
from voicegw.ports.asr import AsrFailed, AsrFinal, AsrOptions, AsrProvider
from voicegw.ports.tts import TtsAudio, TtsProvider, TtsRequest
from voicegw.testing.word_errors import word_errors

RATE_HZ = 8000
LEAD_S, TAIL_S = 0.2, 0.4
SPEECH_DBFS = -20.0
"""Level of the speech on the line, as a handset delivers it."""
LINE_NOISE_RMS = 8.0


@dataclass(frozen=True, slots=True)
class Sentence:
    """Something to say, and what the recogniser is told to expect."""

    text: str
    options: AsrOptions


@dataclass(frozen=True, slots=True)
class Heard:
    """One sentence by one voice and what became of it. Times in seconds."""

    voice: str
    said: str
    understood: str
    confidence: float
    errors: int
    audio_s: float
    decode_s: float
    final_after_s: float


@dataclass(frozen=True, slots=True)
class SpeechScore:
    """The sum over a set."""

    word_error_rate: float
    sentences_right: float
    real_time_factor: float
    final_p50_ms: float
    final_p95_ms: float
    heard: tuple[Heard, ...]


async def caller_audio(tts: TtsProvider, text: str, voice: str, seed: int = 1) -> bytes:
    """``text`` as it arrives over a PCMU call: level, a breath of noise around it, and the codec's own noise."""
    request = TtsRequest(text, voice=voice)
    pieces = [chunk.pcm async for chunk in tts.synthesize(request) if isinstance(chunk, TtsAudio)]
    pcm = np.frombuffer(on_the_line(b"".join(pieces), seed), "<i2")
    received: bytes = decode(encode(pcm, Law.ULAW), Law.ULAW).astype("<i2").tobytes()
    return received


def on_the_line(pcm: bytes, seed: int = 1, rate_hz: int = RATE_HZ) -> bytes:
    """Synthetic speech as a handset sends it: at its level, and with a breath of noise around and under it."""
    speech = np.frombuffer(pcm, "<i2").astype(np.float64)
    level = np.sqrt(np.mean(speech**2)) if len(speech) else 1.0
    speech *= 32768.0 * 10.0 ** (SPEECH_DBFS / 20.0) / max(float(level), 1.0)
    line = np.pad(speech, (round(LEAD_S * rate_hz), round(TAIL_S * rate_hz)))
    line += np.random.default_rng(seed).normal(0.0, LINE_NOISE_RMS, len(line))
    return np.clip(np.rint(line), -32768, 32767).astype("<i2").tobytes()


async def recognize(asr: AsrProvider, options: AsrOptions, pcm: bytes, *, paced: bool) -> tuple[AsrFinal, float]:
    """The final text of one utterance, and the seconds from the end of the audio to it.

    ``paced``: push 20 ms every 20 ms as a call does, so that the delay is the one a caller would feel.
    Raises AssertionError if the engine fails.
    """
    stream = asr.open(options)
    for number, start in enumerate(range(0, len(pcm), RATE_HZ // 50 * 2)):
        if number == 0:
            began = time.monotonic()
        stream.push(pcm[start : start + RATE_HZ // 50 * 2])
        if paced:
            await asyncio.sleep(max(0.0, began + 0.02 * (number + 1) - time.monotonic()))
    finished = time.monotonic()
    stream.finish()
    async for event in stream.events():
        if isinstance(event, AsrFinal):
            return event, time.monotonic() - finished
        assert not isinstance(event, AsrFailed), event
    raise AssertionError("the stream ended without a final text")


async def evaluate(
    asr: AsrProvider, tts: TtsProvider, voices: Sequence[str], sentences: Sequence[Sentence], *, paced: bool = False
) -> SpeechScore:
    """Say every sentence with every voice and score what is understood. One caller a voice."""
    heard: list[Heard] = []
    for options in {sentence.options: None for sentence in sentences}:
        await asr.prepare(options)
    for voice in voices:
        for number, sentence in enumerate(sentences):
            pcm = await caller_audio(tts, sentence.text, voice, seed=number)
            options = AsrOptions(
                sentence.options.language, sentence.options.phrases, sentence.options.boost, caller=voice
            )
            final, delay = await recognize(asr, options, pcm, paced=paced)
            errors = word_errors(sentence.text, final.text)
            audio_s, decode_s = final.audio_ms / 1e3, final.decode_ms / 1e3
            heard.append(
                Heard(voice, sentence.text, final.text, final.confidence, errors, audio_s, decode_s, delay)
            )
    return _score(heard)


def _score(heard: Sequence[Heard]) -> SpeechScore:
    words = sum(len(item.said.split()) for item in heard)
    delays = sorted(item.final_after_s for item in heard)
    return SpeechScore(
        word_error_rate=sum(item.errors for item in heard) / max(words, 1),
        sentences_right=sum(item.errors == 0 for item in heard) / max(len(heard), 1),
        real_time_factor=sum(i.decode_s for i in heard) / max(sum(i.audio_s for i in heard), 1e-9),
        final_p50_ms=delays[len(delays) // 2] * 1e3 if delays else 0.0,
        final_p95_ms=delays[min(len(delays) - 1, len(delays) * 95 // 100)] * 1e3 if delays else 0.0,
        heard=tuple(heard),
    )
