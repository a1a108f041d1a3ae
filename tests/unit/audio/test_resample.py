from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio.resample import Resampler, resample

RATES = [(8000, 16000), (16000, 8000), (22050, 8000), (24000, 8000), (44100, 8000), (48000, 8000), (22050, 16000)]


def sine(freq: float, rate: int, seconds: float = 0.5, peak: float = 16000) -> NDArray[np.int16]:
    return np.rint(peak * np.sin(2 * np.pi * freq * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def middle(pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    return pcm[len(pcm) // 4 : -len(pcm) // 4].astype(np.float64)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_the_pass_band_is_flat_and_in_phase(source: int, target: int) -> None:
    """A tone at the new rate is the same tone, at the same time: error below -60 dB."""
    for freq in (50, 300, 1000, 3300):
        heard, true = middle(resample(sine(freq, source), source, target)), middle(sine(freq, target))
        size = min(len(heard), len(true))
        assert np.sqrt(((heard[:size] - true[:size]) ** 2).mean()) < 16000 / 2**0.5 / 1000, freq


@pytest.mark.parametrize(("source", "target"), [pair for pair in RATES if pair[0] > pair[1]])
def test_the_stop_band_does_not_alias(source: int, target: int) -> None:
    """Tones above half the target rate come out at least 65 dB down."""
    for freq in np.linspace(target / 2 + 10, source / 2 - 10, 7):
        leak = middle(resample(sine(float(freq), source, peak=32000), source, target))
        assert 20 * np.log10(max(np.sqrt((leak**2).mean()), 0.1) / (32000 / 2**0.5)) < -65, freq


def test_images_of_upsampling_are_removed() -> None:
    spectrum = np.abs(np.fft.rfft(middle(resample(sine(1000, 8000), 8000, 16000)) * np.hanning(4000)))
    hz = np.fft.rfftfreq(4000, 1 / 16000)
    assert 20 * np.log10(spectrum[hz > 4000].max() / spectrum.max()) < -70


@pytest.mark.parametrize(("source", "target"), RATES)
def test_lengths_and_equal_rates(source: int, target: int) -> None:
    for size in (0, 1, 7, 160, 1001):
        assert len(resample(np.ones(size, np.int16), source, target)) == -(-size * target // source)
    assert np.array_equal(resample(sine(440, source), source, source), sine(440, source))


def test_full_scale_saturates_and_a_constant_stays_constant() -> None:
    square = np.repeat(np.array([32767, -32768] * 20, np.int16), 50)
    heard = resample(square, 8000, 16000)
    assert heard.max() == 32767 and heard.min() == -32768
    assert np.abs(middle(resample(np.full(4000, 12345, np.int16), 22050, 8000)) - 12345).max() <= 1


def test_flush_makes_it_new_and_latency_is_small() -> None:
    resampler, tone = Resampler(16000, 8000), sine(700, 16000)
    first = np.concatenate([resampler.process(tone), resampler.flush()])
    second = np.concatenate([resampler.process(tone), resampler.flush()])
    assert np.array_equal(first, second)
    held_back = len(first) - len(resampler.process(tone))
    assert held_back <= 40  # 5 ms at 8 kHz
