"""Worker process of the Whisper engine."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec

from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.asr.faster_whisper_engine import WhisperEngine
from voicegw.inference.asr.faster_whisper_model import WhisperReader
from voicegw.inference.messages import WorkerReady
from voicegw.inference.worker import Engine, ParentGone, WorkerChannel, main


def load(channel: WorkerChannel, arguments: list[str]) -> tuple[Engine, WorkerReady]:
    """Arguments: the folder of the model and the configuration as JSON. Raises ProviderError."""
    config = msgspec.json.decode(arguments[1], type=WhisperConfig)
    reader = WhisperReader(Path(arguments[0]), config)
    reader.warm_up()
    engine = WhisperEngine(channel, reader, config)
    threading.excepthook = _reader_died
    threading.Thread(target=_read_forever, args=(engine,), name="reader", daemon=True).start()
    return engine, WorkerReady((), reader.languages)


def _read_forever(engine: WhisperEngine) -> None:
    while True:
        engine.read_next()


def _reader_died(failure: threading.ExceptHookArgs) -> None:
    """A worker that no longer reads is of no use: it ends, and the pool starts another."""
    if failure.exc_type is not ParentGone:
        threading.__excepthook__(failure)
    os._exit(1)


if __name__ == "__main__":
    main(load)
