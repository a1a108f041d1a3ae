"""How the process of :mod:`voicegw.server_media` is started; who starts it needs none of what it imports."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from voicegw.media.config import MediaConfig
from voicegw.recording.seal_keys import SealPublicKey


def command_line(
    config: MediaConfig, *, vad: bool = True, log_level: str = "info", seal_to: Sequence[SealPublicKey] = ()
) -> list[str]:
    """What starts a worker, but for ``--fd``: see :class:`voicegw.media.client.MediaClient`.

    ``seal_to`` are the keys to which recordings are sealed; they go along, so that a worker which starts later
    needs no file that may be gone by then.
    """
    settings = msgspec.json.encode(config).decode()
    line = [sys.executable, "-m", "voicegw.server_media", "--settings", settings, "--log-level", log_level]
    for key in seal_to:
        line += ["--seal-to", key.to_bytes().hex()]
    return line if vad else [*line, "--no-vad"]
