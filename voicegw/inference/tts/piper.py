"""Piper: natural voices in forty languages on the processor, several times faster than spoken.

The package is under the GPL-3: it is an optional extra, and only the worker process imports it.
"""

from __future__ import annotations

import importlib.util

import msgspec

from voicegw.inference.process import WorkerSpec
from voicegw.inference.settings import EngineSettings
from voicegw.inference.tts.pooled import PooledTts
from voicegw.ports.tts import TtsCapabilities


class PiperTts(PooledTts):
    """Streams sentence by sentence. Its voices and languages are those of the files that are there."""

    def __init__(self, settings: EngineSettings) -> None:
        if importlib.util.find_spec("piper") is None:
            raise ImportError("No module named 'piper'", name="piper-tts")
        arguments = (str(settings.models_dir.resolve()), msgspec.json.encode(settings.piper).decode())
        spec = WorkerSpec("voicegw.inference.tts.piper_worker", arguments)
        super().__init__("piper", spec, TtsCapabilities(streaming=True, word_marks=False), settings)
