"""Which utterances are decoded together next, and how much the encoder is given of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from voicegw.inference.asr.faster_whisper_utterance import MODEL_HZ, Wish

Key = TypeVar("Key")
FRAMES_PER_SECOND = 100
"""Columns of the spectrum."""
_MOST_FRAMES = 3000
"""30 s: the encoder has no more places."""
_AFTER_S = 0.5
"""Silence behind the speech: the model takes an abrupt end for a word that goes on."""


def next_batch(wishes: Iterable[tuple[Key, Wish]], limit: int) -> list[Key]:
    """What is read for good first and alone, for somebody waits for it; then the rest. Each in the given order:
    whoever was decoded longest ago comes first, so that nobody's partial texts starve.
    """
    urgent: list[Key] = []
    others: list[Key] = []
    for key, wish in wishes:
        if wish in (Wish.FINAL, Wish.PIECE):
            urgent.append(key)
        elif wish is Wish.PARTIAL:
            others.append(key)
    return (urgent or others)[:limit]


def encoder_frames(longest_samples: int, window_s: float) -> int:
    """The length of the spectrum for a batch: the configured window, or more where speech is longer; even."""
    wanted_s = max(window_s, longest_samples / MODEL_HZ + _AFTER_S)
    return min(-(-round(wanted_s * FRAMES_PER_SECOND) // 2) * 2, _MOST_FRAMES)
