"""Music under whoever waits: piece after piece without a gap, from where it was left."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from voicegw.base.ids import UtteranceId, token
from voicegw.call.edges import MUSIC
from voicegw.media import messages as m
from voicegw.runtime.announcer import AnnouncerLinks
from voicegw.runtime.services import Music

PIECE_S: Final = 10.0
_AHEAD: Final = 2
"""Pieces that the media worker has: while it plays the last, there is time to send another."""


class HoldMusic:
    """Of one call. The queue of the media worker joins pieces sample by sample; only the first one fades in."""

    def __init__(self, links: AnnouncerLinks, music: Music | None, rate_hz: Callable[[], int]) -> None:
        """``rate_hz``: at which the call is mixed, known when somebody waits."""
        self._links = links
        self._rate_hz = rate_hz
        self._music = music
        self._queued: deque[UtteranceId] = deque()
        self._at_s = 0.0

    @property
    def there(self) -> bool:
        """Whether there is any."""
        return self._music is not None

    def play(self) -> None:
        """From now on; no change where it plays already."""
        while self._music is not None and len(self._queued) < _AHEAD:
            self._queue(self._music)

    def stop(self) -> None:
        """Fall silent now."""
        if self._queued:
            self._queued.clear()
            self._links.media.send(m.CutPlayout(self._links.call_id, MUSIC))

    def ended(self, utterance_id: UtteranceId) -> bool:
        """An utterance of the call was played to its end; False if it was none of these. The next one follows."""
        if utterance_id not in self._queued:
            return False
        self._queued.remove(utterance_id)
        self.play()
        return True

    def _queue(self, music: Music) -> None:
        links, rate_hz = self._links, self._rate_hz()
        pcm = music.piece(rate_hz, self._at_s, PIECE_S, begins=not self._queued)
        self._at_s += PIECE_S
        self._queued.append(UtteranceId(token(links.random)))
        links.media.send(
            m.QueueAudio(
                links.call_id,
                self._queued[-1],
                pcm,
                final=True,
                interruptible=False,
                voice=MUSIC,
                rate_hz=rate_hz,
            )
        )
