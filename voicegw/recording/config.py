"""The settings of recordings: which keys they are sealed to, and which open them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voicegw.base.errors import ConfigError

FORMATS: Final = ("wav", "opus")


@dataclass(frozen=True, slots=True)
class RecordingConfig:
    """Files of keys; relative paths count from the directory of the configuration file."""

    seal_to: tuple[str, ...] = ()
    """Public keys; every one of their private keys opens every recording. None: recordings are plain WAV files,
    because a server without an administrator has nobody to keep a key for."""
    format: str = "wav"
    """wav, or opus: in Ogg, an eighth of the room, and as much work again for the media worker as a call by Opus.
    It needs the system's libopus."""
    keep_free_mb: int = 500
    """Recordings stop, and no new ones begin, while the disk has less room than this: calls, their facts and the
    log need it more. 0: they take all of it."""
    max_total_mb: int = 0
    """All recordings of a worker's folder together, in MB of 1,000,000 bytes; 0: no limit of their own."""
    unseal_with: tuple[str, ...] = ()
    """Private keys for playing recordings by the API, the present one and those from before a rotation. Without
    any, recordings can be opened only elsewhere: ``voicegw recordings unseal``."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if self.format not in FORMATS:
            raise ConfigError(f"recordings cannot be {self.format!r}", fix=f"one of: {', '.join(FORMATS)}")
        for name in ("keep_free_mb", "max_total_mb"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix="take 0 for no limit")
