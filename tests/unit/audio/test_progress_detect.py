"""Busy, ringing, special information, fax."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio import wav
from voicegw.audio.g711 import Law, decode, encode
from voicegw.audio.progress import progress_tone
from voicegw.audio.progress_detect import Tone, ToneDetector
from voicegw.audio.resample import resample
from voicegw.audio.tones import dtmf, silence, tone

Pcm = NDArray[np.int16]


def heard(pcm: Pcm, noise_dbov: float = -60.0) -> list[Tone]:
    """What is told of some sound on a line with a little noise, after A-law."""
    noise = np.random.default_rng(1).normal(0, 32768 * 10 ** (noise_dbov / 20), len(pcm))
    line = decode(encode(np.clip(pcm + noise, -32768, 32767).astype(np.int16), Law.ALAW), Law.ALAW)
    detector, row = ToneDetector(1), np.array([0], np.intp)
    frames = line[: len(line) // 160 * 160].reshape(-1, 1, 160)
    return [found for frame in frames for _, found in detector.process(row, frame)]


def played(name: str, plan: str, seconds: int, offset: int = 0) -> Pcm:
    samples = np.frombuffer(progress_tone(name, seconds * 1000, plan), np.int16)
    return np.concatenate([np.zeros(offset, np.int16), samples])


@pytest.mark.parametrize("plan", ["eu", "us"])
@pytest.mark.parametrize("offset", [0, 37, 101])
@pytest.mark.parametrize(
    ("name", "expected"),
    [("ringback", Tone.RINGBACK), ("busy", Tone.BUSY), ("congestion", Tone.CONGESTION)],
)
def test_the_tones_of_both_plans(plan: str, offset: int, name: str, expected: Tone) -> None:
    assert heard(played(name, plan, 12, offset)) == [expected], "told once"


@pytest.mark.parametrize("offset", [0, 37, 101])
@pytest.mark.parametrize(
    ("hz", "on_ms", "off_ms", "expected"),
    [
        (400, 375, 375, Tone.BUSY),  # Britain
        (450, 350, 350, Tone.BUSY),  # China; Russia and Lithuania at 425
        (425, 300, 300, Tone.BUSY),  # Finland, Estonia, Greece, Hungary
        (400, 750, 750, Tone.BUSY),  # India
        (425, 240, 240, Tone.CONGESTION),  # Germany
        (425, 200, 200, Tone.CONGESTION),  # Italy, Norway
        (425, 175, 175, Tone.CONGESTION),  # Russia
        (425, 167, 167, Tone.CONGESTION),  # Belgium
    ],
)
def test_the_cadences_of_other_countries(hz: int, on_ms: int, off_ms: int, expected: Tone, offset: int) -> None:
    once = np.concatenate([tone(hz, on_ms), silence(off_ms)])
    assert heard(np.concatenate([np.zeros(offset, np.int16), *[once] * 12])) == [expected]


@pytest.mark.parametrize("offset", [0, 37, 101])
@pytest.mark.parametrize("beat_hz", [0, 25, 33])
def test_a_double_ring_is_a_ringing(beat_hz: int, offset: int) -> None:
    """400 Hz, in some countries beside 450 Hz or beaten: Britain, Australia, India, South Africa."""
    beat = 1 + 0.9 * np.sin(2 * np.pi * beat_hz * np.arange(3200) / 8000)
    burst = (tone(400, 400) / 2 * beat).astype(np.int16)
    once = np.concatenate([burst, silence(200), burst, silence(2000)])
    assert heard(np.concatenate([np.zeros(offset, np.int16), once, once])) == [Tone.RINGBACK]


def test_a_ringing_that_turns_into_busy_is_both() -> None:
    assert heard(np.concatenate([played("ringback", "eu", 10), played("busy", "eu", 5)])) == [
        Tone.RINGBACK,
        Tone.BUSY,
    ]


@pytest.mark.parametrize("frequencies", [(950, 1400, 1800), (913.8, 1370.6, 1776.7), (985.2, 1428.5, 1776.7)])
@pytest.mark.parametrize("each_ms", [(330, 330, 330), (276, 276, 380)])
def test_special_information_tones(frequencies: tuple[float, float, float], each_ms: tuple[int, int, int]) -> None:
    parts = [tone(hz, ms) for hz, ms in zip(frequencies, each_ms, strict=True)]
    assert heard(np.concatenate([silence(500), *parts, silence(500)])) == [Tone.SPECIAL_INFORMATION]


def test_fax_machines() -> None:
    calling = np.concatenate([tone(1100, 500), silence(3000)])
    assert heard(np.concatenate([silence(300), calling, calling])) == [Tone.FAX_CALLING]
    assert heard(np.concatenate([silence(300), tone(2100, 3000), silence(300)])) == [Tone.FAX_ANSWERING]


def test_nothing_else_is_a_tone(tmp_path: Path) -> None:
    assert heard(dtmf("0123456789*#ABCD" * 3, 120, 120)) == []
    assert heard(silence(5000)) == []
    rng = np.random.default_rng(2)
    assert heard(rng.normal(0, 3000, 80_000).astype(np.int16)) == []
    assert heard(np.concatenate([tone(440, 3000), silence(3000)])) == [], "a dial tone, or hold music's long note"
    text = (
        "Hello, you have reached nobody. Ooh, that is too bad. Who are you? Please leave a message after the tone."
    )
    for voice in ("slt", "rms", "kal"):
        path = tmp_path / f"{voice}.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text * 2, "-o", str(path)], check=True, timeout=60)
        audio = wav.parse(path.read_bytes())
        assert heard(resample(audio.samples[:, 0], audio.rate, 8000)) == [], voice
