"""A Whisper model of one layer for the real loader: it says one sentence whatever it hears.

Every token leads to the next by the weights of the decoder's feed-forward layer, so that the beginning of the
transcript leads to a language, and the end of the prompt to the first word of the sentence. The rest of the weights
are random: audio goes the whole way through encoder and cross-attention, but too quietly to change a word.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from ctranslate2.specs import WhisperSpec
from ctranslate2.specs.attention_spec import MultiHeadAttentionSpec
from ctranslate2.specs.common_spec import LayerNormSpec, LinearSpec
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models

Weights = NDArray[np.float32]

WIDTH = 64
MELS = 80
LANGUAGES = ("en", "fr", *(f"l{number:02}" for number in range(97)))
END, START, FIRST_LANGUAGE, TRANSCRIBE, NO_TIMESTAMPS = 50257, 50258, 50259, 50359, 50363
_TAIL = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
_TIMESTAMPS = 1501


def make_tiny_whisper(folder: Path, sentence: str, language: str = "en") -> Path:
    """Write a multilingual model that hears ``sentence`` in ``language`` (``en`` or ``fr``); returns its folder."""
    words = [f"Ġ{word}" for word in sentence.split()]
    tokens = _vocabulary(words)
    spec = WhisperSpec(1, 4, 1, 4)
    random = np.random.default_rng(1)
    _fill_encoder(spec, random)
    _fill_decoder(spec, random, _path(len(words), language))
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], [END]
    spec.config.lang_ids = list(range(FIRST_LANGUAGE, FIRST_LANGUAGE + len(LANGUAGES)))
    spec.config.alignment_heads = [[0, 0]]
    spec.validate()
    folder.mkdir(parents=True)
    spec.save(str(folder))
    tokenizer = Tokenizer(models.BPE(vocab={token: place for place, token in enumerate(tokens)}, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": MELS}))
    return folder


def _vocabulary(words: list[str]) -> list[str]:
    """As large as the real one. The engine tells a multilingual model by its empty token."""
    plain = [*words, *(f"t{number}" for number in range(END - len(words) - 1)), ""]
    special = ["endoftext", "startoftranscript", *LANGUAGES, *_TAIL]
    times = [f"{number * 0.02:.2f}" for number in range(_TIMESTAMPS)]
    return [*plain, *(f"<|{name}|>" for name in (*special, *times))]


def _path(words: int, language: str) -> list[tuple[int, int]]:
    """(token, next token) for all that is ever said."""
    spoken = FIRST_LANGUAGE + LANGUAGES.index(language)
    return [(START, spoken), *pairwise([NO_TIMESTAMPS, *range(words), END])]


def _fill_encoder(spec: WhisperSpec, random: np.random.Generator) -> None:
    encoder = spec.encoder
    encoder.conv1.weight, encoder.conv1.bias = _noise(random, WIDTH, MELS, 3), _zeros(WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = _noise(random, WIDTH, WIDTH, 3), _zeros(WIDTH)
    encoder.position_encodings.encodings = _noise(random, 1500, WIDTH)
    _norm(encoder.layer_norm)
    layer = encoder.layer[0]
    _attention(layer.self_attention, random)
    _norm(layer.ffn.layer_norm)
    _linear(layer.ffn.linear_0, _noise(random, WIDTH, WIDTH))
    _linear(layer.ffn.linear_1, _noise(random, WIDTH, WIDTH))


def _fill_decoder(spec: WhisperSpec, random: np.random.Generator, path: list[tuple[int, int]]) -> None:
    decoder = spec.decoder
    place = {token: number for number, token in enumerate(sorted({token for step in path for token in step}))}
    codes = _zeros(END + len(LANGUAGES) + 8 + _TIMESTAMPS, WIDTH)
    leads = _zeros(WIDTH, WIDTH)
    for token, number in place.items():
        codes[token, number] = 1.0
    for token, following in path:
        leads[place[following], place[token]] = 1.0
    decoder.embeddings.weight = codes
    decoder.position_encodings.encodings = _zeros(448, WIDTH)
    _norm(decoder.layer_norm)
    _linear(decoder.projection, codes * np.float32(4.0))
    layer = decoder.layer[0]
    _attention(layer.self_attention, None)
    _attention(layer.attention, random)
    _norm(layer.ffn.layer_norm)
    _linear(layer.ffn.linear_0, np.eye(WIDTH, dtype=np.float32))
    _linear(layer.ffn.linear_1, leads)


def _attention(spec: MultiHeadAttentionSpec, random: np.random.Generator | None) -> None:
    _norm(spec.layer_norm)
    shapes = (3, 1) if len(spec.linear) == 2 else (1, 2, 1)
    for linear, times in zip(spec.linear, shapes, strict=True):
        size = (times * WIDTH, WIDTH)
        _linear(linear, _zeros(*size) if random is None else _noise(random, *size))


def _linear(spec: LinearSpec, weight: Weights) -> None:
    spec.weight, spec.bias = weight, _zeros(weight.shape[0])


def _norm(spec: LayerNormSpec) -> None:
    spec.gamma, spec.beta = np.ones(WIDTH, np.float32), _zeros(WIDTH)


def _zeros(*shape: int) -> Weights:
    return np.zeros(shape, np.float32)


def _noise(random: np.random.Generator, *shape: int) -> Weights:
    return random.normal(0.0, 0.02, shape).astype(np.float32)
