"""flite: small English voices, BSD licence, made about forty times faster than spoken. The embedded default."""

from __future__ import annotations

from voicegw.inference.process import WorkerSpec
from voicegw.inference.settings import EngineSettings
from voicegw.inference.tts.pooled import PooledTts
from voicegw.ports.tts import TtsCapabilities


class FliteTts(PooledTts):
    """Streams from the library's own audio callback and marks every word."""

    def __init__(self, settings: EngineSettings) -> None:
        spec = WorkerSpec("voicegw.inference.tts.flite_worker")
        capabilities = TtsCapabilities(
            streaming=True,
            word_marks=True,
            languages=frozenset({"en-US"}),
            voices=("slt", "rms", "awb", "kal16", "kal"),
        )
        super().__init__("flite", spec, capabilities, settings)
