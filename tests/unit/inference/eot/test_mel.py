"""The spectrogram beside the one that faster-whisper computes."""

from __future__ import annotations

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

from voicegw.inference.eot.mel import HOP, RATE_HZ, log_mel


def test_it_is_the_spectrogram_that_whisper_hears() -> None:
    at = np.arange(2 * RATE_HZ) / RATE_HZ
    sweep = 0.3 * np.sin(2 * np.pi * (200 + 900 * at) * at)
    wave = (sweep + np.random.default_rng(3).normal(0, 0.01, len(at))).astype(np.float32)
    for mels in (80, 128):
        ours = log_mel(wave, mels)
        theirs = FeatureExtractor(feature_size=mels)(wave, padding=0)
        assert ours.shape == (mels, len(wave) // HOP)
        assert np.abs(ours - theirs[:, : ours.shape[1]]).max() < 1e-3


def test_silence_is_flat() -> None:
    assert np.ptp(log_mel(np.zeros(RATE_HZ, np.float32), 80)) == 0.0
