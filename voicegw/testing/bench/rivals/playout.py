"""What a caller hears of an audio stream that may be sent ahead of time and taken back.

A telephone network plays what a media stream sends in the order of its arrival, at the pace of speech, and throws
the rest away when it is told to clear. Over RTP a packet is heard when it arrives; here the moment is worked out.
"""

from __future__ import annotations

import numpy as np

from voicegw.audio.g711 import Law, decode
from voicegw.testing.bench._wire import FRAME, Heard

_RATE_HZ = 8000


class Playout:
    """Pieces of up to 20 ms, each with the moment at which it is played, in monotonic seconds."""

    def __init__(self) -> None:
        self._pieces: list[Heard] = []
        self._free_at = 0.0

    def arrive(self, at: float, codes: bytes) -> None:
        """More G.711 µ-law, queued behind what is still to be played."""
        pcm = decode(np.frombuffer(codes, np.uint8), Law.ULAW).astype(np.int32)
        begin = max(at, self._free_at)
        for first in range(0, len(pcm), FRAME):
            self._pieces.append(Heard(begin + first / _RATE_HZ, int(np.abs(pcm[first : first + FRAME]).max())))
        self._free_at = begin + len(pcm) / _RATE_HZ

    def clear(self, at: float) -> None:
        """Play nothing more of what has arrived."""
        while self._pieces and self._pieces[-1].at > at:
            self._pieces.pop()
        self._free_at = min(self._free_at, at)

    def heard(self, now: float) -> list[Heard]:
        """What has been played by ``now``, oldest first."""
        count = len(self._pieces)
        while count and self._pieces[count - 1].at > now:
            count -= 1
        return self._pieces[:count]
