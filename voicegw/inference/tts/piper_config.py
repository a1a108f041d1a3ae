"""What an administrator says about Piper voices."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PiperConfig:
    """Which voices are loaded, and what they may use."""

    voices: tuple[str, ...] = ()
    """Names of voices, which are files ``NAME.onnx`` with ``NAME.onnx.json`` in the folder of models or a folder of
    it. The first is the default and loaded at the start, the others when they are first needed. Empty: all that
    are there, in alphabetical order."""
    threads: int = 1
    """Threads of one synthesis. More shorten a sentence a little; more workers serve more callers."""
    max_loaded: int = 4
    """Voices in memory at once, 60 to 120 MB each; the one used longest ago is dropped."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for name, value in (("threads", self.threads), ("max_loaded", self.max_loaded)):
            if value < 1:
                raise ConfigError(f"{name} is {value}", fix="at least 1")
