"""What the ears of the calls hear, collected for some ticks: the gateway is woken once for all of them.

Every wake-up costs the gateway more than what there is to do in it, so audio for recognisers travels in pieces of
``tap_ms``. Nobody waits for it: before anything is told about somebody's speech, all that was heard until then is
told. The words of a turn have therefore reached the recogniser when its end is judged, as with pieces of one tick,
and what is on the way then is the silence after them.
"""

from __future__ import annotations

from collections.abc import Iterable

from voicegw.base.ids import CallId
from voicegw.media.filling import Pcm
from voicegw.media.messages import AudioBatch, AudioTapped


class Taps:
    """Audio on its way to the ears."""

    def __init__(self, ticks: int) -> None:
        """A piece is complete after ``ticks``."""
        self._most = ticks
        self._ticks = 0
        self._heard: dict[tuple[CallId, str, int], list[bytes]] = {}

    def add(self, taps: Iterable[tuple[CallId, str, int]], mixed: Pcm, rate_hz: int) -> None:
        """One tick of the ears (call, ear, sink) of calls of one rate."""
        for call_id, ear, sink in taps:
            self._heard.setdefault((call_id, ear, rate_hz), []).append(mixed[sink].tobytes())

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
