"""What every engine is given when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from voicegw.base.clock import Clock, SystemClock
from voicegw.base.metrics import Counters
from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.asr.openai_transcription_config import TranscriptionConfig
from voicegw.inference.tts.openai_speech_config import SpeechServerConfig
from voicegw.inference.tts.piper_config import PiperConfig


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``workers``: processes of a local engine. ``cache_dir``: where compiled models are kept between runs.
    ``models_dir``: where models and voices lie. The rest is for the engine of that name."""

    workers: int = 1
    cache_dir: Path = Path("var/cache")
    clock: Clock = field(default_factory=SystemClock)
    counters: Counters = field(default_factory=Counters)
    models_dir: Path = Path("models")
    whisper: WhisperConfig = field(default_factory=WhisperConfig)
    transcription: TranscriptionConfig = field(default_factory=TranscriptionConfig)
    piper: PiperConfig = field(default_factory=PiperConfig)
    speech_server: SpeechServerConfig = field(default_factory=SpeechServerConfig)
