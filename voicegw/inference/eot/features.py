"""From a question to what the model is fed, and from what it says to a probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.resample import resample
from voicegw.inference.eot.mel import log_mel
from voicegw.inference.eot.spec import CLASSES, NEXT_TOKEN, AudioInput, Output, TextInput
from voicegw.inference.eot.tokens import Tokenizer
from voicegw.ports.eot import EotQuestion

LINE_HZ = 8000
"""What most telephone lines bring; a model that wants more is given no more than the line has, at its rate."""
_FULL_SCALE = 32768.0

Feed = Mapping[str, NDArray[Any]]


def text_feed(config: TextInput, tokenizer: Tokenizer, question: EotQuestion) -> Feed:
    """The last tokens; at least one."""
    filled = config.template.replace("{asked}", question.asked).replace("{text}", question.text)
    tokens = tokenizer(filled)[-config.max_tokens :] or [config.unknown]
    feed = {config.input: np.array([tokens], np.int64)}
    return feed | {config.mask: np.ones((1, len(tokens)), np.int64)} if config.mask else feed


def audio_feed(config: AudioInput, question: EotQuestion) -> Feed:
    """The end of the turn, filled up in front."""
    line = np.frombuffer(question.pcm, "<i2").astype(np.int16)[-config.window_ms * question.rate_hz // 1000 :]
    wave = resample(line, question.rate_hz, config.rate_hz) / _FULL_SCALE
    size = config.window_ms * config.rate_hz // 1000
    whole = np.pad(wave, (max(size - len(wave), 0), 0))[-size:]
    if config.normalise:
        whole = (whole - whole.mean()) / np.sqrt(whole.var() + 1e-7)
    samples = whole.astype(np.float32)
    return {config.input: (log_mel(samples, config.mels) if config.features == "whisper" else samples)[np.newaxis]}


def probability_of(config: Output, values: NDArray[Any]) -> float:
    """0 to 1; ValueError for an output that is not as the file says."""
    if config.kind == NEXT_TOKEN:
        logits = np.asarray(values, np.float64).reshape(-1, values.shape[-1])[-1]
        return _share(logits, config.index)
    flat = np.asarray(values, np.float64).reshape(-1)
    if config.kind == CLASSES:
        return _share(flat, config.index)
    if len(flat) != 1:
        raise ValueError(f"one number was to come, not {len(flat)}")
    value = float(flat[0]) if config.kind == "probability" else float(1 / (1 + np.exp(-flat[0])))
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{value} is no probability")
    return value


def _share(logits: NDArray[np.float64], index: int) -> float:
    if index >= len(logits):
        raise ValueError(f"there is no output {index} among {len(logits)}")
    weights = np.exp(logits - logits.max())
    return float(weights[index] / weights.sum())
