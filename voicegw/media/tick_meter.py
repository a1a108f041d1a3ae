"""Every tick as metrics: how long it worked, how late it began, how evenly its packets left."""

from __future__ import annotations

from voicegw.base.metrics import Counters
from voicegw.media.config import FRAME_S


class TickMeter:
    """Three histograms, a microsecond a tick."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._departed_at = 0.0

    def note(self, lateness_s: float, busy_s: float, departed_at: float) -> None:
        """One tick, whose last packet left at ``departed_at``, monotonic seconds; 0.0 where none did."""
        counters = self._counters
        counters.observe("media_tick_seconds", busy_s)
        counters.observe("media_tick_lateness_seconds", max(0.0, lateness_s))
        if departed_at and self._departed_at:
            counters.observe("media_departure_jitter_seconds", abs(departed_at - self._departed_at - FRAME_S))
        self._departed_at = departed_at
