"""The bytes in front of a plain 16-bit WAV; apart from the samples, because who only mends files needs no numpy."""

from __future__ import annotations

import struct
from typing import Final

HEADER_BYTES: Final = 44
_PCM: Final = 1
_MAX_SIZE: Final = 0xFFFFFFFF


def header(rate: int, channels: int, data_bytes: int) -> bytes:
    """The 44 bytes in front of ``data_bytes`` of 16-bit little-endian PCM; sizes beyond 4 GiB are capped."""
    frame = 2 * channels
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", min(data_bytes + HEADER_BYTES - 8, _MAX_SIZE), b"WAVE"),
        *(b"fmt ", 16, _PCM, channels, rate, rate * frame, frame, 16),
        *(b"data", min(data_bytes, _MAX_SIZE)),
    )
