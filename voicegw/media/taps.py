"""What the ears of the calls hear, collected for some ticks: the gateway is woken once for all of them.

Every wake-up costs the gateway more than what there is to do in it, so audio for recognisers travels in pieces of
``tap_ms``. Nobody waits for it: before anything is told about somebody's speech, all that was heard until then is
told. The words of a turn have therefore reached the recogniser when its end is judged, as with pieces of one tick,
and what is on the way then is the silence after them.

They hear speech at one level (:mod:`voicegw.media.ear_level`); recordings and other legs hear what was said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicegw.base.ids import CallId
from voicegw.media.ear_level import Ear, EarLevels, Flags
from voicegw.media.filling import Pcm
from voicegw.media.messages import AudioBatch, AudioTapped


class Taps:
    """Audio on its way to the ears."""

    def __init__(self, ticks: int, level_dbov: float = 0.0) -> None:
        """A piece is complete after ``ticks``; ``level_dbov``: of speech in it, 0 for as it comes."""
        self._most = ticks
        self._level_dbov = level_dbov
        self._levels: dict[int, EarLevels] = {}
        self._ticks = 0
        self._heard: dict[tuple[CallId, str, int], list[bytes]] = {}

    def add(self, taps: Sequence[Ear], mixed: Pcm, rate_hz: int, speaking: Flags | None = None) -> None:
        """One tick of the ears of calls of one rate; ``speaking``: whether whom each hears is, None for unknown."""
        for (call_id, ear, _), frame in zip(taps, self._frames(taps, mixed, rate_hz, speaking), strict=True):
            self._heard.setdefault((call_id, ear, rate_hz), []).append(frame.tobytes())

    def _frames(self, taps: Sequence[Ear], mixed: Pcm, rate_hz: int, speaking: Flags | None) -> Iterable[Pcm]:
        if not self._level_dbov or speaking is None:
            return (mixed[sink] for _, _, sink in taps)
        if rate_hz not in self._levels:
            self._levels[rate_hz] = EarLevels(self._level_dbov)
        return self._levels[rate_hz].process(taps, mixed, speaking)

    def end_tick(self) -> AudioBatch | None:
        """All ears have been added; what was collected, if it is time."""
        self._ticks += 1
        return self.take() if self._ticks >= self._most else None

    def take(self) -> AudioBatch | None:
        """All that was collected; None if that is nothing."""
        heard, self._heard, self._ticks = self._heard, {}, 0
        if not heard:
            return None
        pieces = ((key, b"".join(pcm)) for key, pcm in heard.items())
        return AudioBatch(tuple(AudioTapped(call_id, pcm, ear, rate) for (call_id, ear, rate), pcm in pieces))
