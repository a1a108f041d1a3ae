"""The newest audio of a voice, and no more of it than somebody may ask for."""

from __future__ import annotations

import math
from collections import deque

FRAME_S = 0.02


class Tape:
    """Pieces of any length; they are kept as they came, for several tapes may hold the same ones."""

    def __init__(self, seconds: float, rate_hz: int = 8000) -> None:
        """At least ``seconds`` of 16-bit PCM are kept, and less than one piece more."""
        self._rate_hz = rate_hz
        self._limit = self._size_of(seconds)
        self._pieces: deque[bytes] = deque()
        self._size = 0

    def add(self, pcm: bytes) -> None:
        """The next piece."""
        self._pieces.append(pcm)
        self._size += len(pcm)
        while self._size - len(self._pieces[0]) >= self._limit:
            self._size -= len(self._pieces.popleft())

    def last(self, seconds: float) -> bytes:
        """The newest audio, rounded up to frames of 20 ms; less of it if there is no more."""
        wanted = min(self._size_of(seconds), self._limit)
        return b"".join(self._pieces)[-wanted:] if wanted > 0 else b""

    def whole(self) -> bytes:
        """All that is kept."""
        return b"".join(self._pieces)

    def clear(self) -> None:
        """Forget everything."""
        self._pieces.clear()
        self._size = 0

    def _size_of(self, seconds: float) -> int:
        return math.ceil(seconds / FRAME_S) * round(FRAME_S * self._rate_hz) * 2
