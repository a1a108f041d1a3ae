"""Sounds that callers make while an agent speaks: "mm-hm" and noises, for which it should go on, and interruptions,
for which it should stop. Several voices and levels; nothing is recorded, all is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.ports.tts import TtsAudio, TtsProvider, TtsRequest
from voicegw.testing import noise, room_sounds
from voicegw.testing.room_sounds import at_level

Pcm = NDArray[np.int16]


class SoundKind(Enum):
    """What the caller means by it."""

    BACK_CHANNEL = "back_channel"
    NOISE = "noise"
    INTERRUPTION = "interruption"


@dataclass(frozen=True, slots=True)
class Sound:
    """One of them. ``text`` is what a perfect recogniser writes, empty for a noise."""

    name: str
    kind: SoundKind
    text: str
    pcm: Pcm


BACK_CHANNELS: Final = (
    "uh-huh",
    "okay",
    "yeah",
    "right",
    "i see",
    "yes",
    "sure",
    "got it",
    "all right",
    "oh really",
    "yeah yeah",
    "okay okay",
    "of course",
    "aha",
    "good",
    "i understand",
)
INTERRUPTIONS: Final = (
    "stop",
    "wait",
    "wait a moment",
    "no that is wrong",
    "i want to speak to somebody",
    "can you repeat that",
    "hold on",
    "excuse me",
    "what was that",
    "sorry i did not get that",
    "four seven one one",
    "nine",
    "on tuesday please",
    "cancel my appointment",
    "hello",
    "help",
    "operator",
    "no",
    "i have a question",
    "that is not what i asked",
    "how much is it",
    "yes but not on monday",
    "okay but when do you open",
    "actually i changed my mind",
    "my name is miller",
    "goodbye",
)
FLITE_VOICES: Final = ("rms", "slt", "awb")
ESPEAK_VOICES: Final = ("en-gb",)
PACKET: Final = 160
LEVELS_DBOV: Final = (-20.0, -26.0, -32.0)
"""A handset near the mouth, an ordinary one, and one held away."""


async def make_sounds(voices: Mapping[str, TtsProvider]) -> list[Sound]:
    """All of them, in an order that mixes kinds, voices and levels. ``voices``: by name, the engines that have
    them."""
    spoken = [
        Sound(f"{text!r} {voice}", kind, text, await _say(engine, text, voice, _level(number + shift)))
        for kind, texts in ((SoundKind.BACK_CHANNEL, BACK_CHANNELS), (SoundKind.INTERRUPTION, INTERRUPTIONS))
        for shift, (voice, engine) in enumerate(voices.items())
        for number, text in enumerate(texts)
    ]
    return _mixed([*spoken, *_noises()])


async def _say(engine: TtsProvider, text: str, voice: str, level_dbov: float) -> Pcm:
    request = TtsRequest(text, voice=voice)
    pieces = [chunk.pcm async for chunk in engine.synthesize(request) if isinstance(chunk, TtsAudio)]
    return at_level(np.frombuffer(b"".join(pieces), "<i2").astype(np.float64), level_dbov)


def _noises() -> Iterator[Sound]:
    """Hums count as back-channels: voices of synthesisers cannot hum."""
    for number in range(10):
        level, pitch = _level(number), 95.0 + 14 * number
        yield _heard(
            "hum", SoundKind.BACK_CHANNEL, number, room_sounds.hum(level, pitch_hz=pitch, seed=number), "mm-hm"
        )
    for number in range(12):
        pcm = noise.cough(_level(number), duration_ms=180 + 30 * number, seed=number)
        yield _heard("cough", SoundKind.NOISE, number, pcm)
    for number in range(4):
        first, second = (noise.cough(_level(number), duration_ms=220, seed=50 + number + i) for i in range(2))
        yield _heard(
            "two coughs", SoundKind.NOISE, number, np.concatenate([first, np.zeros(2400, np.int16), second])
        )
    for number in range(8):
        pcm = room_sounds.throat(_level(number), duration_ms=300 + 40 * number, seed=number)
        yield _heard("throat", SoundKind.NOISE, number, pcm)
        pcm = room_sounds.breath(_level(number) - 12, duration_ms=400 + 80 * number, seed=number)
        yield _heard("breath", SoundKind.NOISE, number, pcm)
        yield _heard("door", SoundKind.NOISE, number, room_sounds.door(_level(number), seed=number))
        pcm = room_sounds.keyboard(_level(number) - 6, strokes=6 + number, seed=number)
        yield _heard("keyboard", SoundKind.NOISE, number, pcm)
    for number in range(6):
        pcm = noise.line_noise(600 + 200 * number, -44.0 + 3 * number, seed=number)
        yield _heard("line noise", SoundKind.NOISE, number, pcm)
        yield _heard("click", SoundKind.NOISE, number, noise.click(_level(number), duration_ms=4 + number))


def _heard(name: str, kind: SoundKind, number: int, pcm: Pcm, text: str = "") -> Sound:
    return Sound(f"{name} {number + 1}", kind, text, pcm)


def _level(number: int) -> float:
    return LEVELS_DBOV[number % len(LEVELS_DBOV)]


def _mixed(sounds: Sequence[Sound]) -> list[Sound]:
    """The same shuffle in every run; each sound fills whole packets."""
    order = np.random.default_rng(2026).permutation(len(sounds))
    return [replace(sounds[at], pcm=np.pad(sounds[at].pcm, (0, -len(sounds[at].pcm) % PACKET))) for at in order]
