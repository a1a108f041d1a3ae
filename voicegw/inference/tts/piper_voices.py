"""Which Piper voices are on this machine, and which of them speaks for a request. Reads files, loads no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voicegw.base.errors import ProviderError

SPEAKER_MARK = "#"
"""``NAME#SPEAKER`` is one speaker of a voice that has several."""

_PHONEMES_AT_HAND = ("espeak", "text")
"""For the phonemes of some languages the package would fetch more models from its hub in the middle of a call."""


@dataclass(frozen=True, slots=True)
class VoiceFiles:
    """A voice: ``NAME.onnx`` and what ``NAME.onnx.json`` says of it."""

    name: str
    model: Path
    language: str
    """BCP 47, such as ``en-US``."""
    length_scale: float = 1.0
    """The voice's own pace; greater is slower."""
    speakers: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """What requests may ask for."""
        several = sorted(self.speakers) if len(self.speakers) > 1 else ()
        return (self.name, *(f"{self.name}{SPEAKER_MARK}{speaker}" for speaker in several))


def find_voices(models: Path, wanted: Sequence[str]) -> list[VoiceFiles]:
    """The wanted voices in that order, or all in the folder and its folders; raises ProviderError if one lacks."""
    found = {path.stem: path for path in sorted([*models.glob("*.onnx"), *models.glob("*/*.onnx")])}
    found = {name: path for name, path in found.items() if path.with_name(f"{path.name}.json").is_file()}
    for name in wanted or ([] if found else ["en_US-ljspeech-medium"]):
        if name not in found:
            message = f"{models} has no {name}.onnx with {name}.onnx.json; get it with: voicegw models pull {name}"
            raise ProviderError("piper", message, retryable=False)
    voices = {name: _read(name, found[name]) for name in wanted or found}
    if unfit := [name for name, voice in voices.items() if voice is None and name in wanted]:
        message = f"{unfit[0]} is no Piper voice, or one whose phonemes need files from the network"
        raise ProviderError("piper", message, retryable=False)
    return [voice for voice in voices.values() if voice is not None]


def choose(voices: Sequence[VoiceFiles], name: str, language: str) -> tuple[VoiceFiles, int | None]:
    """The voice that was asked for by name, else one of the language, else the first; and its speaker's number."""
    base, _, speaker = name.partition(SPEAKER_MARK)
    for voice in voices:
        if name and voice.name == base:
            return voice, voice.speakers.get(speaker)
    wanted = language.lower()
    same = [voice for voice in voices if voice.language.lower() == wanted]
    related = [voice for voice in voices if voice.language.split("-")[0].lower() == wanted.split("-")[0]]
    return [*same, *related, *voices][0], None


def _read(name: str, model: Path) -> VoiceFiles | None:
    """A voice's description; None for what is no voice, and for one that cannot speak without the network."""
    path = model.with_name(f"{model.name}.json")
    try:
        said: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ProviderError("piper", f"cannot read {path}: {error}", retryable=False) from error
    if not isinstance(said, dict) or "phoneme_id_map" not in said:
        return None
    if said.get("phoneme_type", "espeak") not in _PHONEMES_AT_HAND:
        return None
    code = said.get("language", {}).get("code") or said.get("espeak", {}).get("voice", "en")
    scale = float(said.get("inference", {}).get("length_scale", 1.0))
    return VoiceFiles(name, model, str(code).replace("_", "-"), scale, dict(said.get("speaker_id_map") or {}))
