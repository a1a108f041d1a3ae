"""The Whisper model itself: several pieces of audio in, a text each out. Runs in the worker process only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# A model is loaded from its folder or not at all: nothing in the worker may look for one on the network. The
# library reads this when it is imported.
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from voicegw.base.errors import ProviderError
from voicegw.inference.asr.faster_whisper_batch import FRAMES_PER_SECOND, encoder_frames
from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.asr.faster_whisper_text import Reading, choose_language, tidy
from voicegw.inference.asr.faster_whisper_utterance import MODEL_HZ, Task

_FILES = ("model.bin", "tokenizer.json", "config.json")
_TOKENS, _TOKENS_PER_SECOND = 16, 10
"""A limit on the text: nobody speaks ten tokens a second, and a decoder in a circle would write hundreds."""


class WhisperReader:
    """A loaded model."""

    def __init__(self, folder: Path, config: WhisperConfig) -> None:
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            message = f"{folder} has no {missing[0]}; get the model with: voicegw models pull {folder.name}"
            raise ProviderError("whisper", message, retryable=False)
        self._config = config
        try:
            self._model = WhisperModel(
                str(folder),
                device=config.device,
                compute_type=config.compute_type,
                cpu_threads=config.cpu_threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:  # no such device, a type it cannot compute, a broken file
            raise ProviderError("whisper", f"cannot load {folder}: {error}", retryable=False) from error
        self._engine: Any = self._model.model
        self._multilingual = bool(self._engine.is_multilingual)

    @property
    def languages(self) -> tuple[str, ...]:
        """Whisper's codes; none for a model of every language it knows."""
        return () if self._multilingual else ("en",)

    def warm_up(self) -> None:
        """The first decoding allocates; no caller shall wait for it. Raises RuntimeError."""
        self._read([np.zeros(MODEL_HZ, np.float32)], ["en"])

    def read(self, tasks: Sequence[Task]) -> list[Reading]:
        """One decoding of each, together. Raises RuntimeError (a GPU out of memory, say)."""
        audio = [task.samples.astype(np.float32) / np.float32(32768.0) for task in tasks]
        encoded = self._encode(audio)
        chosen = self._languages(tasks, encoded)
        texts = self._decode(encoded, audio, [language for language, _ in chosen])
        return [
            Reading(text, confidence, language, certain)
            for (text, confidence), (language, certain) in zip(texts, chosen, strict=True)
        ]

    def _read(self, audio: list[NDArray[np.float32]], languages: list[str]) -> None:
        self._decode(self._encode(audio), audio, languages)

    def _encode(self, audio: Sequence[NDArray[np.float32]]) -> Any:
        """The encoder's output; each piece is filled up with silence, in which the spectrum is at its floor."""
        frames = encoder_frames(max(len(piece) for piece in audio), self._config.encoder_window_s)
        extract = self._model.feature_extractor
        samples = frames * MODEL_HZ // FRAMES_PER_SECOND
        features = [extract(np.pad(piece, (0, max(samples - len(piece), 0))))[:, :frames] for piece in audio]
        return self._model.encode(np.stack(features))

    def _languages(self, tasks: Sequence[Task], encoded: Any) -> list[tuple[str, bool]]:
        if not self._multilingual:
            return [("en", True)] * len(tasks)
        found: list[list[tuple[str, float]]] = [[] for _ in tasks]
        if any(not task.language for task in tasks):
            found = self._engine.detect_language(encoded)
        chosen: list[tuple[str, bool]] = []
        for task, guesses in zip(tasks, found, strict=True):
            codes = [(token.strip("<|>"), probability) for token, probability in guesses]
            if task.language:
                chosen.append((task.language, True))
            else:
                config = self._config
                chosen.append(choose_language(codes, config.languages, task.known, config.language_certain))
        return chosen

    def _decode(
        self, encoded: Any, audio: Sequence[NDArray[np.float32]], languages: Sequence[str]
    ) -> list[tuple[str, float]]:
        longest_s = max(len(piece) for piece in audio) / MODEL_HZ
        results = self._engine.generate(
            encoded,
            [self._prompt(language) for language in languages],
            beam_size=self._config.beam_size,
            max_length=min(_TOKENS + round(_TOKENS_PER_SECOND * longest_s), self._model.max_length),
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [self._text(result) for result in results]

    def _prompt(self, language: str) -> list[int]:
        names = ["startoftranscript"]
        if self._multilingual:
            known = self._model.hf_tokenizer.token_to_id(f"<|{language}|>") is not None
            names += [language if known else "en", "transcribe"]
        return [self._model.hf_tokenizer.token_to_id(f"<|{name}|>") for name in (*names, "notimestamps")]

    def _text(self, result: Any) -> tuple[str, float]:
        tokens = result.sequences_ids[0]
        # The engine's score is the mean over the words; the end of the text was a decision too.
        log_probability = result.scores[0] * len(tokens) / (len(tokens) + 1)
        text = self._model.hf_tokenizer.decode(tokens)
        return tidy(text, log_probability, result.no_speech_prob)
