"""Which utterances are decoded together next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from voicegw.inference.asr.faster_whisper_utterance import Wish

Key = TypeVar("Key")


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
