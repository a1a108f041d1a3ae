"""From a text to the token ids of a model that reads."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

from voicegw.base.errors import ConfigError
from voicegw.base.installing import pip_install
from voicegw.dialplan.checked import read_text
from voicegw.inference.eot.spec import TextInput

Tokenizer = Callable[[str], list[int]]

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def load_tokenizer(config: TextInput, folder: Path) -> Tokenizer:
    """The tokenizer that the model was made with; raises ConfigError, and what the library does for a bad file."""
    path = folder / config.vocabulary
    return _words(path, config.unknown) if config.tokenizer == "words" else _library(path)


def _words(path: Path, unknown: int) -> Tokenizer:
    numbers = {word: number for number, word in enumerate(read_text(path).split("\n")) if word}
    return lambda text: [numbers.get(word.replace("’", "'"), unknown) for word in _WORD.findall(text.lower())]


def _library(path: Path) -> Tokenizer:
    """Imported here: only some models need it."""
    try:
        library = importlib.import_module("tokenizers")
    except ImportError as error:
        message = f"an end-of-turn model with {path.name} needs the Python package 'tokenizers'"
        raise ConfigError(message, fix=f"{pip_install('voicegw[whisper]')}, which brings it") from error
    tokenizer = library.Tokenizer.from_str(read_text(path))
    return lambda text: list(tokenizer.encode(text).ids)
