"""The file beside an end-of-turn model, ``NAME.yaml`` with ``NAME.onnx``: what goes in and what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import StrictModel, load_yaml, read_text

CLASSES, NEXT_TOKEN = "classes", "next_token"


class TextInput(StrictModel):
    """A model that reads. Token ids go to ``input`` as int64 (1, tokens), ones to ``mask`` where it is named."""

    tokenizer: Literal["words", "tokenizers"]
    """``words``: lower-case words, numbered by the lines of ``vocabulary``. ``tokenizers``: the JSON file of that
    library, which must be installed."""
    vocabulary: str = Field(min_length=1)
    """A file beside this one."""
    unknown: int = Field(default=0, ge=0)
    """``words`` only: the number of a word that is not in the vocabulary."""
    template: str = "{text}"
    """What is read: ``{text}`` of the caller so far, ``{asked}`` by the agent before."""
    max_tokens: int = Field(default=128, ge=1, le=4096)
    """The last ones count."""
    input: str = "input_ids"
    mask: str = ""


class AudioInput(StrictModel):
    """A model that listens: to the last ``window_ms`` of the turn, silence in front of a shorter one.

    ``waveform``: float32 (1, samples) in -1 to 1. ``whisper``: the log-mel spectrogram of Whisper, float32
    (1, mels, frames of 10 ms) at 16 kHz.
    """

    features: Literal["waveform", "whisper"]
    input: str
    rate_hz: Literal[8000, 16000] = 16000
    window_ms: int = Field(default=8000, ge=100, le=30_000, multiple_of=10)
    mels: int = Field(default=80, ge=20, le=128)
    normalise: bool = False
    """Mean 0 and variance 1 before anything else."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.features == "whisper" and self.rate_hz != 16000:
            raise ValueError("the spectrogram of Whisper is of 16000 Hz")
        return self


class Output(StrictModel):
    """``probability`` of the end itself, its ``logit``, logits of ``classes`` of which ``index`` is the end, or
    logits of the ``next_token`` (1, tokens, vocabulary), of which the token ``index`` is the end."""

    name: str
    kind: Literal["probability", "logit", "classes", "next_token"] = "probability"
    index: int = Field(default=1, ge=0)


class EotSpec(StrictModel):
    """``languages`` are BCP 47 tags, empty for any; in another one the model has no opinion."""

    languages: tuple[str, ...] = ()
    text: TextInput | None = None
    audio: AudioInput | None = None
    output: Output
    deadline_ms: int = Field(default=150, ge=10, le=2000)
    """An opinion that comes later is none."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.text is None and self.audio is None:
            raise ValueError("an end-of-turn model needs 'text', 'audio' or both")
        return self


def load_spec(folder: Path, name: str) -> EotSpec:
    """Read ``folder/name.yaml``; raises ConfigError."""
    path = folder / f"{name}.yaml"
    if not path.is_file() or not (folder / f"{name}.onnx").is_file():
        known = sorted(found.stem for found in folder.glob("*.onnx") if found.with_suffix(".yaml").is_file())
        fix = f"one of: {', '.join(known)}" if known else f"put {name}.onnx and {name}.yaml there"
        raise ConfigError(f"there is no end-of-turn model called {name!r} in {folder}", fix=fix)
    spec, document = load_yaml(EotSpec, read_text(path), str(path))
    if spec.text is not None and not (folder / spec.text.vocabulary).is_file():
        raise document.error(("text", "vocabulary"), f"there is no {spec.text.vocabulary!r} beside it", "add it")
    return spec
