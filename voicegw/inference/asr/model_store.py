"""Compiled domain models on disk, so that a restart costs nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicegw.inference.asr.language_model import LmConfig, compile_lm, vocabulary
from voicegw.inference.asr.lexicon import Lexicon
from voicegw.turn.back_channel_words import ENGLISH

_HUMS = frozenset(["m", "mm", "mmm", "mhm", "hm", "hmm"])
CALLERS = LmConfig(
    asides=tuple(phrase for phrase in (*ENGLISH.phrases, *ENGLISH.urgent) if not _HUMS.intersection(phrase.split()))
)
"""How people talk on the telephone, whatever they are asked. Hums are left out: every "a.m." would be one."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A language model (ARPA) and the dictionary of its words."""

    lm: Path
    dictionary: Path


class ModelStore:
    """Compiles each model once; several workers may do so at the same time and write equal files."""

    def __init__(self, folder: Path, lexicon: Lexicon, config: LmConfig) -> None:
        self._folder = folder
        self._lexicon = lexicon
        self._config = config

    def files(self, key: str, phrases: Sequence[str], boost: Sequence[str]) -> ModelFiles:
        """The files of a model, compiled if they are not there. Raises OSError if they cannot be written."""
        files = ModelFiles(self._folder / f"{key}.arpa", self._folder / f"{key}.dict")
        words = vocabulary([*phrases, *boost, *self._config.asides])
        if not files.dictionary.exists():
            write_whole(files.dictionary, self._lexicon.compile(words))
        if not files.lm.exists():
            write_whole(files.lm, compile_lm(phrases, boost, self._config))
        return files


def write_whole(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees a part, and a crash leaves none behind under the final name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
