"""Worker process of the PocketSphinx engine: several utterances at a time, a decoder each."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pocketsphinx

from voicegw.base.errors import ProviderError
from voicegw.base.ids import StreamId
from voicegw.inference.asr.lexicon import Lexicon
from voicegw.inference.asr.model_store import CALLERS, ModelStore
from voicegw.inference.asr.recognizer import Recognizer, write_garbage_dictionary
from voicegw.inference.messages import (
    Command,
    DefineModel,
    FinishRecognition,
    OpenRecognition,
    PrepareModel,
    PushAudio,
    StreamEnded,
    StreamFailed,
    TextChanged,
    TextFinal,
    WorkerReady,
)
from voicegw.inference.worker import Engine, WorkerChannel, main

GENERAL = ""
"""The key of the general model: the whole dictionary and the language model of the package."""
MAX_IDLE = 8
"""Decoders kept for later, 17 MB each with their witness (the general one 95): making one takes 30 to 60 ms."""
SPARE_S = 300.0
"""What nobody has borrowed for so long was for a busier hour; of each model one stays."""
MAX_DEFINITIONS = 1024


class _Idle(NamedTuple):
    """A decoder of a model that nobody has borrowed ``since`` then."""

    key: str
    recognizer: Recognizer
    since: float


class PocketSphinxEngine:
    """Decoders by model; an utterance borrows one."""

    def __init__(
        self,
        channel: WorkerChannel,
        acoustic_model: Path,
        store: ModelStore,
        garbage: Path,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._channel = channel
        self._acoustic_model = acoustic_model
        self._garbage = garbage
        self._store = store
        self._definitions: OrderedDict[str, DefineModel] = OrderedDict()
        self._idle: list[_Idle] = []
        self._streams: dict[StreamId, tuple[str, Recognizer]] = {}

    def handle(self, command: Command) -> None:
        """Do one command."""
        match command:
            case DefineModel():
                self._define(command)
            case PrepareModel():
                self._prepare(command)
            case OpenRecognition():
                self._open(command)
            case PushAudio():
                self._push(command)
            case FinishRecognition():
                self._finish(command.stream_id)
            case _:
                return

    def forget(self, stream_id: StreamId) -> None:
        """Drop an utterance nobody waits for."""
        if (stream := self._streams.pop(stream_id, None)) is not None:
            key, recognizer = stream
            recognizer.abandon()
            self._give_back(key, recognizer)

    def _define(self, command: DefineModel) -> None:
        self._definitions[command.key] = command
        if len(self._definitions) > MAX_DEFINITIONS:
            self._definitions.popitem(last=False)

    def _prepare(self, command: PrepareModel) -> None:
        recognizer = self._borrow(command.stream_id, command.key)
        if recognizer is not None:
            self._give_back(command.key, recognizer)
            self._channel.send(StreamEnded(command.stream_id))
        self._channel.ended(command.stream_id)

    def _open(self, command: OpenRecognition) -> None:
        recognizer = self._borrow(command.stream_id, command.key)
        if recognizer is None:
            self._channel.ended(command.stream_id)
            return
        recognizer.begin(command.channel, command.rate_hz)
        self._streams[command.stream_id] = (command.key, recognizer)

    def _push(self, command: PushAudio) -> None:
        stream = self._streams.get(command.stream_id)
        if stream is not None and (text := stream[1].push(command.pcm)) is not None:
            self._channel.send(TextChanged(command.stream_id, text))

    def _finish(self, stream_id: StreamId) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return
        key, recognizer = stream
        found = recognizer.finish()
        self._channel.send(
            TextFinal(stream_id, found.text, found.confidence, found.audio_ms, found.decode_ms, found.channel)
        )
        self._channel.ended(stream_id)
        self._give_back(key, recognizer)

    def _borrow(self, stream_id: StreamId, key: str) -> Recognizer | None:
        """A decoder of the model; reports the failure of the stream if there can be none."""
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].key == key:
                return self._idle.pop(index).recognizer
        definition = self._definitions.get(key)
        try:
            if key == GENERAL:
                return Recognizer(self._acoustic_model, None, None)
            if definition is None:
                self._channel.send(StreamFailed(stream_id, f"the model {key} is not defined", True))
                return None
            files = self._store.files(key, definition.phrases, definition.boost)
            return Recognizer(self._acoustic_model, files, self._garbage)
        except (OSError, RuntimeError) as error:  # a full disk; a model that the decoder refuses
            self._channel.send(StreamFailed(stream_id, f"cannot load the language model: {error}", False))
            return None

    def _give_back(self, key: str, recognizer: Recognizer) -> None:
        now = self._now()
        self._idle.append(_Idle(key, recognizer, now))
        last = {idle.key: idle for idle in self._idle}
        wanted = [idle for idle in self._idle if idle.since > now - SPARE_S or idle is last[idle.key]]
        self._idle = wanted[-MAX_IDLE:]


def load(channel: WorkerChannel, arguments: list[str]) -> tuple[Engine, WorkerReady]:
    """Argument: the folder for compiled models. The acoustic model comes with the package."""
    folder = Path(pocketsphinx.get_model_path("en-us"))
    cache = Path(arguments[0])
    garbage = cache / "garbage.dict"
    try:
        write_garbage_dictionary(folder / "en-us" / "noisedict", garbage)
    except OSError as error:
        raise ProviderError("pocketsphinx", f"cannot write to {cache}: {error}", retryable=False) from error
    store = ModelStore(cache, Lexicon(folder / "cmudict-en-us.dict"), CALLERS)
    return PocketSphinxEngine(channel, folder / "en-us", store, garbage), WorkerReady((), ("en-US",))


if __name__ == "__main__":
    main(load)
