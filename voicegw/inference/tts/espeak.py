"""espeak-ng: robotic, but more than a hundred languages. GPL-3, hence a separate program, never linked."""

from __future__ import annotations

from voicegw.inference.process import WorkerSpec
from voicegw.inference.settings import EngineSettings
from voicegw.inference.tts.pooled import PooledTts
from voicegw.ports.tts import TtsCapabilities


class EspeakTts(PooledTts):
    """Streams the program's standard output. Its languages and voices are known once it has started."""

    def __init__(self, settings: EngineSettings) -> None:
        spec = WorkerSpec("voicegw.inference.tts.espeak_worker")
        super().__init__("espeak", spec, TtsCapabilities(streaming=True, word_marks=False), settings)
