from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio.levels import level_dbov
from voicegw.audio.plc import FRAME, Concealer, comfort_noise

ROW = np.array([0])


def voice(frames: int, pitch_hz: float = 123.0) -> NDArray[np.int16]:
    """A periodic signal with harmonics: (frames, 160)."""
    at = np.arange(frames * FRAME) / 8000
    wave = sum(np.sin(2 * np.pi * pitch_hz * n * at + n) / n for n in range(1, 9))
    return (4000 * np.asarray(wave)).astype(np.int16).reshape(frames, FRAME)


def run(signal: NDArray[np.int16], lost: set[int], row: int = 0) -> NDArray[np.int16]:
    """One row through the concealer; the lost frames carry rubbish."""
    concealer = Concealer(row + 1)
    out = []
    for number, frame in enumerate(signal):
        sent = np.full_like(frame, 12345) if number in lost else frame.copy()
        out.append(concealer.process(np.array([row]), sent[np.newaxis], np.array([number in lost]))[0])
    return np.stack(out)


def snr_db(heard: NDArray[np.int16], true: NDArray[np.int16]) -> float:
    error = heard.astype(float) - true
    return float(10 * np.log10((true.astype(float) ** 2).mean() / (error**2).mean()))


def test_without_loss_nothing_is_touched() -> None:
    signal = voice(10)
    assert np.array_equal(run(signal, set()), signal)


@pytest.mark.parametrize("pitch_hz", [70.0, 90.0, 123.0, 180.0, 250.0])
def test_one_lost_frame_of_a_voice_is_close_to_the_original(pitch_hz: float) -> None:
    signal = voice(10, pitch_hz)
    heard = run(signal, {6})
    assert snr_db(heard[6], signal[6]) > 8
    assert np.array_equal(heard[:6], signal[:6]) and np.array_equal(heard[8:], signal[8:])


def test_no_clicks_at_the_seams() -> None:
    signal = voice(12)
    largest_step = abs(np.diff(signal.ravel().astype(int))).max()
    for lost in ({6}, {6, 7}, {5, 7}, {4, 5, 6}):
        assert abs(np.diff(run(signal, lost).ravel().astype(int))).max() <= 1.3 * largest_step


def test_a_long_loss_fades_and_ends_as_background_noise() -> None:
    rng = np.random.default_rng(7)
    noisy = voice(4).astype(float) * np.repeat([1.0, 0.0, 1.0, 1.0], 1)[:, np.newaxis] + rng.normal(
        0, 40, (4, FRAME)
    )
    signal = np.vstack([noisy.astype(np.int16), np.zeros((10, FRAME), np.int16)])
    levels = level_dbov(run(signal, set(range(4, 14))))
    assert levels[4] == pytest.approx(levels[3], abs=3)
    assert (np.diff(levels[4:8]) < 0).all()
    assert levels[9:].tolist() == pytest.approx([20 * np.log10(40 / 32768)] * 5, abs=3)


def test_the_noise_after_a_loss_in_mid_vowel_stays_low() -> None:
    assert level_dbov(run(voice(14), set(range(4, 14))))[9:].max() < -48


def test_loss_before_anything_was_heard_is_silence() -> None:
    assert not run(voice(4), {0, 1, 2, 3}).any()


def test_rows_do_not_touch_each_other_and_may_be_a_subset() -> None:
    signal = voice(10)
    concealer, alone = Concealer(8), run(signal, {6}, row=5)
    rows = np.array([5, 2])
    for number, frame in enumerate(signal):
        noise = np.full(FRAME, 77 * number, np.int16)
        heard = concealer.process(rows, np.stack([frame, noise]), np.array([number == 6, False]))
        assert np.array_equal(heard[0], alone[number])
        assert (heard[1] == 77 * number).all()


def test_reset_forgets_the_voice() -> None:
    concealer = Concealer(1)
    for frame in voice(4):
        concealer.process(ROW, frame[np.newaxis].copy(), np.array([False]))
    concealer.reset(0)
    assert not concealer.process(ROW, np.ones((1, FRAME), np.int16), np.array([True])).any()


def test_comfort_noise_has_the_level_asked_for() -> None:
    noise = comfort_noise(np.array([-30.0, -60.0, -127.0], np.float32), 8000, 12345)
    assert level_dbov(noise).tolist() == pytest.approx([-30, -60, -127], abs=0.5)
    assert np.array_equal(
        noise[:, 160:320], comfort_noise(np.array([-30.0, -60.0, -127.0], np.float32), 160, 12505)
    )
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.1
