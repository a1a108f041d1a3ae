"""The settings of recordings: which keys they are sealed to, and which open them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordingConfig:
    """Files of keys; relative paths count from the directory of the configuration file."""

    seal_to: tuple[str, ...] = ()
    """Public keys; every one of their private keys opens every recording. None: recordings are plain WAV files,
    because a server without an administrator has nobody to keep a key for."""
    keep_free_mb: int = 500
    """Recordings stop, and no new ones begin, while the disk has less room than this: calls, their facts and the
    log need it more. 0: they take all of it."""
    max_total_mb: int = 0
    """All recordings of a worker's folder together, in MB of 1,000,000 bytes; 0: no limit of their own."""
    unseal_with: tuple[str, ...] = ()
    """Private keys for playing recordings by the API, the present one and those from before a rotation. Without
    any, recordings can be opened only elsewhere: ``voicegw recordings unseal``."""
