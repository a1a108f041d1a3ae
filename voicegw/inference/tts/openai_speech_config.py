"""What an administrator says about a speech server."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import ConfigError
from voicegw.inference.server_address import ServerAddress


@dataclass(frozen=True, slots=True)
class SpeechServerConfig(ServerAddress):
    """A server with ``/audio/speech`` that streams raw PCM."""

    model: str = "tts-1"
    """The server's own name of the model."""
    voice: str = "alloy"
    """The voice where an agent names none."""
    pcm_hz: int = 24000
    """The rate of the server's PCM; the protocol does not tell. OpenAI's is 24 kHz, some others' 22.05 or 16."""
    speed: bool = True
    """Whether the server understands ``speed``. Without, every voice speaks at its own pace."""
    first_audio_timeout_s: float = 4.0
    """From the request to the first piece of audio. Later the caller thinks that the line is dead."""
    idle_timeout_s: float = 3.0
    """Between two pieces of audio."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for name, value in (
            ("pcm_hz", self.pcm_hz),
            ("first_audio_timeout_s", self.first_audio_timeout_s),
            ("idle_timeout_s", self.idle_timeout_s),
        ):
            if value <= 0:
                raise ConfigError(f"{name} is {value}", fix="more than 0")
