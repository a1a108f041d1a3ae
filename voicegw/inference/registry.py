"""Engines by name. A module is imported only when its name is chosen, so that what is not used need not exist."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from voicegw.base.errors import ConfigError
from voicegw.base.installing import pip_install
from voicegw.inference.settings import EngineSettings
from voicegw.ports.asr import AsrProvider
from voicegw.ports.eot import EotModel
from voicegw.ports.tts import TtsProvider


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an engine is: ``module:Class``, and the extra of this package that installs what it imports."""

    path: str
    extra: str = ""


ASR: Mapping[str, Entry] = {
    "pocketsphinx": Entry("voicegw.inference.asr.pocketsphinx:PocketSphinxAsr"),
    "whisper": Entry("voicegw.inference.asr.faster_whisper:FasterWhisperAsr", "whisper"),
    "transcription": Entry("voicegw.inference.asr.openai_transcription:OpenAiTranscription"),
}
TTS: Mapping[str, Entry] = {
    "flite": Entry("voicegw.inference.tts.flite:FliteTts"),
    "espeak": Entry("voicegw.inference.tts.espeak:EspeakTts"),
    "piper": Entry("voicegw.inference.tts.piper:PiperTts", "piper"),
    "speech-server": Entry("voicegw.inference.tts.openai_speech:OpenAiSpeech"),
}


def make_asr(name: str, settings: EngineSettings, known: Mapping[str, Entry] = ASR) -> AsrProvider:
    """The recogniser of that name, not started; raises ConfigError."""
    return cast(AsrProvider, _make("recogniser", name, settings, known))


def make_tts(name: str, settings: EngineSettings, known: Mapping[str, Entry] = TTS) -> TtsProvider:
    """The synthesiser of that name, not started; raises ConfigError."""
    return cast(TtsProvider, _make("synthesiser", name, settings, known))


def make_eot(name: str, settings: EngineSettings) -> EotModel | None:
    """The end-of-turn model of that name in the folder of models, not started; None for no name.

    Raises ConfigError.
    """
    if not name:
        return None
    made: EotModel = importlib.import_module("voicegw.inference.eot.onnx_eot").OnnxEot(name, settings)
    return made


def _make(kind: str, name: str, settings: EngineSettings, known: Mapping[str, Entry]) -> object:
    entry = known.get(name)
    if entry is None:
        raise ConfigError(f"there is no {kind} called {name!r}", fix=f"use one of: {', '.join(sorted(known))}")
    module, _, attribute = entry.path.partition(":")
    try:
        provider = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        extra = f"voicegw[{entry.extra}]" if entry.extra else "voicegw"
        raise ConfigError(
            f"the {kind} {name!r} needs the Python package {error.name!r}", fix=pip_install(extra)
        ) from error
    made: object = provider(settings)
    return made
