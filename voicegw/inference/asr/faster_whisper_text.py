"""What Whisper says, made fit for a dialogue: its names of languages, and its two ways of raving."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

AUTO = "auto"
_NAMES = {"nb": "no", "cmn": "zh", "fil": "tl", "iw": "he", "in": "id"}
"""Tags whose language Whisper knows by another name."""
_NO_SPEECH = 0.6
_UNSURE_LOG_PROBABILITY = -1.0
"""The model's own rule for silence: it says so, and does not believe what it wrote."""
_CIRCLE_REPEATS, _CIRCLE_WORDS = 4, 10
"""The same words at least so often in a row, and at least so many in all: people repeat themselves, and dictate
"zero zero zero zero", but a decoder that goes round in circles does it to the end."""
_CIRCLE_SIZE = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """One decoding of an utterance."""

    text: str
    confidence: float
    language: str
    """Whisper's code, such as ``en``."""
    certain: bool
    """Whether the language need not be looked at again."""


def whisper_language(tag: str) -> str:
    """Whisper's code for a BCP 47 tag; empty for ``auto``."""
    base = tag.split("-")[0].lower()
    return "" if base in ("", AUTO) else _NAMES.get(base, base)


def choose_language(
    found: Sequence[tuple[str, float]], allowed: Sequence[str], known: str, certain: float
) -> tuple[str, bool]:
    """The language of an utterance, and whether that is settled.

    ``found`` are codes and probabilities, the most likely first; ``allowed`` the choice (empty for any); ``known``
    what the same caller spoke before, which decides where the sound alone does not ("no" is said in many).
    """
    candidates = [(code, p) for code, p in found if not allowed or code in allowed]
    total = sum(p for _, p in candidates)
    if not candidates or total <= 0.0:
        return (known or next(iter(allowed), "en")), False
    code, probability = candidates[0]
    if probability / total >= certain:
        return code, True
    return (known if any(code == known for code, _ in candidates) else code), False


def tidy(text: str, log_probability: float, no_speech: float) -> tuple[str, float]:
    """Text and confidence (0 to 1) of a decoding, given its mean log probability and that of no speech at all."""
    if no_speech > _NO_SPEECH and log_probability < _UNSURE_LOG_PROBABILITY:
        return "", 0.0
    return without_circles(" ".join(text.split())), min(math.exp(log_probability), 1.0)


def without_circles(text: str) -> str:
    """The text with a circle at its end gone through once."""
    words = text.split()
    for size in range(1, min(_CIRCLE_SIZE, len(words) // _CIRCLE_REPEATS) + 1):
        run = 0
        while run + size < len(words) and words[-1 - run] == words[-1 - run - size]:
            run += 1
        repeated = run + size
        if run and repeated >= max(_CIRCLE_REPEATS * size, _CIRCLE_WORDS):
            start = len(words) - repeated
            return " ".join(words[: start + size])
    return text
