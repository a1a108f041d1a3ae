"""Worker process of the Piper engine. The only module that imports piper, which is under the GPL-3."""

from __future__ import annotations

import importlib.metadata
import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import msgspec
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    RuntimeException,
)
from piper import PiperVoice
from piper import SynthesisConfig as Manner
from piper.config import PiperConfig as VoiceConfig

from voicegw.base.errors import ProviderError
from voicegw.base.ids import StreamId
from voicegw.inference.messages import AudioMade, Command, StreamEnded, StreamFailed, Synthesize, WorkerReady
from voicegw.inference.tts.piper_config import PiperConfig
from voicegw.inference.tts.piper_voices import VoiceFiles, choose, find_voices
from voicegw.inference.tts.shaping import SpeechShaper, sane_rate
from voicegw.inference.worker import Engine, WorkerChannel, main

_PIECE_S = 0.1
"""Audio goes out in pieces: a reader that stops reading stops the next one."""
_BROKEN = (
    *(Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, RuntimeException),
    *(OSError, ValueError, KeyError, RuntimeError),
)
"""What a damaged voice raises: a file that is no model, a description that lacks something or names a language that
the phonemiser does not have."""


class LoadedVoices:
    """Models in memory, the last used kept."""

    def __init__(self, config: PiperConfig) -> None:
        self._config = config
        self._loaded: OrderedDict[str, PiperVoice] = OrderedDict()

    def get(self, files: VoiceFiles) -> PiperVoice:
        """The model of a voice; raises ProviderError if its files are damaged."""
        voice = self._loaded.get(files.name)
        if voice is None:
            voice = self._loaded[files.name] = self._load(files)
            if len(self._loaded) > self._config.max_loaded:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(files.name)
        return voice

    def _load(self, files: VoiceFiles) -> PiperVoice:
        """By hand instead of ``PiperVoice.load``, which takes every core of the machine for one sentence."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._config.threads
        try:
            said = json.loads(files.model.with_name(f"{files.model.name}.json").read_text("utf-8"))
            session = onnxruntime.InferenceSession(str(files.model), options, providers=["CPUExecutionProvider"])
            voice = PiperVoice(session=session, config=VoiceConfig.from_dict(said))
            list(voice.synthesize("a"))  # the first run allocates; no caller shall wait for it
        except _BROKEN as error:
            raise ProviderError("piper", f"cannot load {files.model}: {error}", retryable=False) from error
        return voice


class PiperEngine:
    """One request at a time; a closed stream stops after the sentence that is being made.

    ``[[ ]]`` in a text holds phonemes, which is how the lexicon says what a word sounds like.
    """

    def __init__(self, channel: WorkerChannel, voices: list[VoiceFiles], loaded: LoadedVoices) -> None:
        self._channel = channel
        self._voices = voices
        self._loaded = loaded

    def handle(self, command: Command) -> None:
        """Only Synthesize is for this engine."""
        if not isinstance(command, Synthesize):
            return
        try:
            self._speak(command)
        except ProviderError as error:
            self._channel.send(StreamFailed(command.stream_id, str(error), error.retryable))
        self._channel.ended(command.stream_id)

    def forget(self, stream_id: StreamId) -> None:
        """Nothing is kept between sentences."""

    def _speak(self, request: Synthesize) -> None:
        files, speaker = choose(self._voices, request.voice, request.language)
        voice = self._loaded.get(files)
        shaper = SpeechShaper(voice.config.sample_rate, request.sample_rate_hz)
        manner = Manner(speaker_id=speaker, length_scale=files.length_scale / sane_rate(request.rate))
        try:
            for sentence in voice.synthesize(request.text, manner):
                if not self._send(request, shaper.process(sentence.audio_int16_array)):
                    return
        except _BROKEN as error:
            raise ProviderError("piper", f"{files.name} cannot say this: {error}", retryable=False) from error
        self._channel.send(AudioMade(request.stream_id, shaper.flush()))
        self._channel.send(StreamEnded(request.stream_id))

    def _send(self, request: Synthesize, pcm: bytes) -> bool:
        """Hand out one sentence; says whether anybody still wants more."""
        size = round(_PIECE_S * request.sample_rate_hz) * 2
        for start in range(0, len(pcm), size):
            if self._channel.is_closed(request.stream_id):
                return False
            self._channel.send(AudioMade(request.stream_id, pcm[start : start + size]))
        return not self._channel.is_closed(request.stream_id)


def load(channel: WorkerChannel, arguments: list[str]) -> tuple[Engine, WorkerReady]:
    """Arguments: the folder of models and the configuration as JSON. Raises ProviderError."""
    config = msgspec.json.decode(arguments[1], type=PiperConfig)
    voices = find_voices(Path(arguments[0]), config.voices)
    if not voices:
        raise ProviderError("piper", f"{arguments[0]} has no voice of Piper", retryable=False)
    loaded = LoadedVoices(config)
    loaded.get(voices[0])
    names = tuple(name for voice in voices for name in voice.names)
    languages = tuple({voice.language for voice in voices})
    return PiperEngine(channel, voices, loaded), WorkerReady(names, languages, _version(arguments[1], voices))


def _version(config_json: str, voices: Sequence[VoiceFiles]) -> str:
    """The package, the settings, and the voices by size and date: a file of the same name may be another voice."""
    stats = [(voice.name, stat.st_size, stat.st_mtime_ns) for voice in voices for stat in (voice.model.stat(),)]
    return json.dumps([importlib.metadata.version("piper-tts"), config_json, stats])


if __name__ == "__main__":
    main(load)
