"""The sounds that callers make while an agent speaks: levels, lengths, and that they are the same every time."""

from __future__ import annotations

import asyncio
from collections import Counter

import numpy as np
import pytest

from voicegw.testing import room_sounds
from voicegw.testing.bench._wire import speech_bounds
from voicegw.testing.interjections import LEVELS_DBOV, PACKET, Sound, SoundKind, make_sounds
from voicegw.testing.room_sounds import at_level
from voicegw.testing.stub_speech import StubTts

VOICES = ("a", "b", "c", "d")


def sounds() -> list[Sound]:
    tts = StubTts()
    return asyncio.run(make_sounds(dict.fromkeys(VOICES, tts)))


def active_level(pcm: np.ndarray) -> float:
    """dBov of the loudest 200 ms."""
    size = min(len(pcm), 1600)
    power = np.convolve(pcm.astype(np.float64) ** 2, np.ones(size) / size, "valid").max()
    return float(10 * np.log10(power / 32768**2))


def test_there_are_a_hundred_of_each_and_all_can_be_heard() -> None:
    made = sounds()
    kinds = Counter(sound.kind for sound in made)
    assert kinds[SoundKind.BACK_CHANNEL] + kinds[SoundKind.NOISE] >= 100
    assert kinds[SoundKind.INTERRUPTION] >= 100
    assert len({sound.name for sound in made}) == len(made)
    for sound in made:
        assert len(sound.pcm) % PACKET == 0
        assert len(sound.pcm) < 8000 * 3, sound.name
        first, last = speech_bounds(sound.pcm)
        assert first < last
        assert bool(sound.text) is (sound.kind is not SoundKind.NOISE), sound.name


def test_they_are_the_same_every_time_and_mixed() -> None:
    first, second = sounds(), sounds()
    assert [sound.name for sound in first] == [sound.name for sound in second]
    assert all(np.array_equal(a.pcm, b.pcm) for a, b in zip(first, second, strict=True))
    assert {sound.kind for sound in first[:30]} == set(SoundKind)


@pytest.mark.parametrize("level", LEVELS_DBOV)
def test_a_level_is_that_of_the_loud_part(level: float) -> None:
    wave = np.concatenate([np.zeros(8000), np.sin(np.arange(4000) / 3), np.zeros(8000)])
    assert active_level(at_level(wave, level)) == pytest.approx(level, abs=0.5)


def test_silence_stays_silence() -> None:
    assert not at_level(np.zeros(800), -20.0).any()


def test_a_hum_has_two_syllables_in_the_low_band() -> None:
    pcm = room_sounds.hum(-24.0, pitch_hz=120.0).astype(np.float64)
    blocks = pcm[: len(pcm) // 160 * 160].reshape(-1, 160)
    loud = np.sqrt(np.mean(blocks**2, axis=1)) > 600
    assert np.count_nonzero(np.diff(loud.astype(int)) == 1) + int(loud[0]) == 2
    spectrum = np.abs(np.fft.rfft(pcm)) ** 2
    hz = np.fft.rfftfreq(len(pcm), 1 / 8000)
    assert spectrum[hz < 500].sum() > 0.8 * spectrum.sum()


@pytest.mark.parametrize(
    "make", [room_sounds.breath, room_sounds.door, room_sounds.keyboard, room_sounds.throat, room_sounds.hum]
)
def test_a_noise_depends_on_nothing_but_its_seed(make: object) -> None:
    assert callable(make)
    assert np.array_equal(make(-30.0, seed=3), make(-30.0, seed=3))
    assert not np.array_equal(make(-30.0, seed=3), make(-30.0, seed=4))
