"""What an administrator says about a transcription server."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import ConfigError
from voicegw.inference.server_address import ServerAddress


@dataclass(frozen=True, slots=True)
class TranscriptionConfig(ServerAddress):
    """A server with ``/audio/transcriptions``: a faster-whisper server, vLLM with Whisper, or a hosted one."""

    model: str = "whisper-1"
    """The server's own name of the model."""
    detailed: bool = False
    """Ask for ``verbose_json``: language and probabilities too. Not every model of every server can."""
    confidence: float = 0.8
    """Reported for a text whose probability the server does not tell."""
    timeout_s: float = 8.0
    """From the end of the speech to the text: nobody waits longer on the phone."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if not 0.0 <= self.confidence <= 1.0:
            raise ConfigError(f"confidence is {self.confidence}", fix="from 0 to 1")
        if self.timeout_s <= 0.0:
            raise ConfigError(f"timeout_s is {self.timeout_s}", fix="more than 0")
