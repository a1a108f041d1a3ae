"""The sound of one AudioSocket call between its TCP connection and the media worker.

TCP loses nothing and knows no clock: what comes is cut into frames of 20 ms, and time in which nothing came at all
(a caller on hold at the Asterisk) passes as silence. The worker's jitter buffer evens out what came in bursts.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from voicegw.gateway.worker_line import FRAME_SAMPLES, RATE_HZ, Pcm, WorkerLine

_PCM: Final = np.dtype("<i2")
PAUSE_S: Final = 0.5
"""Nothing for so long is a pause in the talk, not a late packet."""
_SILENCE: Final = np.zeros(FRAME_SAMPLES, np.int16)


class Sound:
    """What the caller says, in frames. ``now`` is monotonic seconds, handed in with everything that comes."""

    def __init__(self, line: WorkerLine, now: float) -> None:
        self._line = line
        self._rest = b""
        self._ends_at = now
        """When what was passed on so far has been spoken to its end."""

    def take(self, pcm: bytes, now: float) -> None:
        """Audio came: 16-bit samples at 8 kHz, any number of them."""
        skipped = self._paused(now)
        data = self._rest + pcm
        whole = len(data) - len(data) % (2 * FRAME_SAMPLES)
        self._rest = data[whole:]
        for frame in np.frombuffer(data[:whole], _PCM).reshape(-1, FRAME_SAMPLES):
            self._pass_on(frame.astype(np.int16), skipped)
            skipped = 0

    def keep_alive(self, now: float) -> None:
        """Called about once a second: a line that is there but says nothing is a caller who is silent."""
        if skipped := self._paused(now):
            self._rest = b""
            self._pass_on(_SILENCE, skipped)

    def _paused(self, now: float) -> int:
        """Samples of a pause that ends now; 0 where there is none."""
        gap = now - self._ends_at
        if gap < PAUSE_S:
            return 0
        self._ends_at = now
        return int(gap * RATE_HZ)

    def _pass_on(self, frame: Pcm, skipped: int) -> None:
        self._line.speak(frame, skipped)
        self._ends_at += FRAME_SAMPLES / RATE_HZ
