"""Music under whoever waits: piece after piece without a gap, from where it was left."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from voicegw.base.ids import UtteranceId, token
from voicegw.call.edges import MUSIC
from voicegw.media import messages as m
from voicegw.media.config import SAMPLE_RATE_HZ
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
        self._queued: deque[tuple[UtteranceId, float]] = deque()
        """Pieces, and where in the music they begin, s."""
        self._cut: tuple[UtteranceId, float] | None = None
        """The one that was being played when it fell silent."""
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
            self._cut = self._queued[0]
            self._at_s = self._cut[1]
            self._queued.clear()
            self._links.media.send(m.CutPlayout(self._links.call_id, MUSIC))

    def ended(self, utterance_id: UtteranceId) -> bool:
        """An utterance of the call was played to its end; False if it was none of these. The next one follows."""
        for piece in self._queued:
            if piece[0] == utterance_id:
                self._queued.remove(piece)
                self.play()
                return True
        self.was_cut(utterance_id, round(PIECE_S * SAMPLE_RATE_HZ))  # it had ended when it was to be
        return False

    def was_cut(self, utterance_id: UtteranceId, sent_samples: int) -> None:
        """So much of an utterance of the call was heard, samples at 8 kHz, when it was cut: here it goes on."""
        if self._cut is not None and self._cut[0] == utterance_id:
            if not self._queued:
                self._at_s = self._cut[1] + sent_samples / SAMPLE_RATE_HZ
            self._cut = None

    def _queue(self, music: Music) -> None:
        links, rate_hz = self._links, self._rate_hz()
        utterance_id = UtteranceId(token(links.random))
        pcm = music.piece(rate_hz, self._at_s, PIECE_S, begins=not self._queued)
        self._queued.append((utterance_id, self._at_s))
        self._at_s += PIECE_S
        links.media.send(
            m.QueueAudio(
                links.call_id,
                utterance_id,
                pcm,
                final=True,
                interruptible=False,
                voice=MUSIC,
                rate_hz=rate_hz,
            )
        )
