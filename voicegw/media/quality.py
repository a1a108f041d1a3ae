"""How a leg sounds while the call goes on: every few seconds a rating of that span, told when it has changed.

The final counters of a leg average over the whole call; a supervisor wants to know what is wrong now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voicegw.rtp.rtcp import ReportBlock
from voicegw.rtp.stats import mos

POOR_MOS: Final = 3.1
"""Below it many people are dissatisfied (ITU-T G.109); so long as it lasts, it is told again and again."""
SPAN_S: Final = 5.0
_LEAST_S: Final = 0.9 * SPAN_S
"""Ticks and plans shift; what is much shorter than a span is left to the next."""
_LEAST_PACKETS: Final = 25
"""Half a second of audio: from less nothing can be said about a leg on hold, or one that suppresses silence."""
_CHANGE: Final = 0.25
_REPORT_S: Final = 15.0
"""A report of the peer counts for so long: three times the mean between two."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters of a leg since its beginning."""

    received: int
    missing: int
    """Lost, or too late to be played."""


@dataclass(frozen=True, slots=True)
class Rating:
    """``mos``: of what we hear, ``peer_mos``: of what the peer says it hears, 0 where it says nothing."""

    mos: float
    peer_mos: float
    loss: float


@dataclass(slots=True)
class PeerEar:
    """What the peer's RTCP has said of our packets since the leg began (RFC 3550 §6.4.1)."""

    lost: int = 0
    """Of all our streams; less than nothing, which duplicates can make of it, is nothing."""
    sent: int = 0
    """What we had sent when it was said last; 0: the peer has never said anything."""
    jitter_ms: float = -1.0
    """As it was said last; -1 before."""
    _ssrc: int = -1
    _lost_before: int = 0

    def hear(self, block: ReportBlock, sent: int, clock_hz: int) -> None:
        """A report about our stream, when we had sent so many packets. ``clock_hz``: of the stream's timestamps.

        With another SSRC the peer counts from nothing again.
        """
        if block.ssrc != self._ssrc:
            self._ssrc, self._lost_before = block.ssrc, self.lost
        self.lost = self._lost_before + max(0, block.cumulative_lost)
        self.sent, self.jitter_ms = sent, block.jitter * 1000 / clock_hz

    def mos(self, delay_ms: float) -> float:
        """How the whole leg sounded there; 0 where it was not said. Of its jitter buffer nobody knows: it is taken
        for as long as ours, ``delay_ms`` being one way with ours."""
        return mos(self.lost / self.sent, delay_ms) if self.sent else 0.0


@dataclass(slots=True)
class QualitySpan:
    """The present span of one leg."""

    since: float = 0.0
    begun: Totals | None = None
    told: Rating | None = None
    rated: Rating | None = None
    """The span that is over, told or not, until somebody takes it."""
    peer_loss: float = 0.0
    """What the peer reported last of our packets, and when."""
    peer_reported_at: float = float("-inf")
    _delays_ms: float = 0.0
    _delays: int = 0

    def peer_reports(self, fraction_lost: int, now: float) -> None:
        """A report block of the peer (RFC 3550 §6.4.1): ``fraction_lost`` in 256ths since the one before."""
        self.peer_loss, self.peer_reported_at = fraction_lost / 256, now

    def rate(self, totals: Totals, delay_ms: float, now: float) -> Rating | None:
        """The rating of a span that is over, if it is worth telling."""
        if self.begun is None:
            self.since, self.begun = now, totals
        if now - self.since < _LEAST_S:
            return None
        received = totals.received - self.begun.received
        missing = max(0, totals.missing - self.begun.missing)
        self.since, self.begun = now, totals
        if received + missing < _LEAST_PACKETS:
            return None
        self._delays_ms, self._delays = self._delays_ms + delay_ms, self._delays + 1
        rating = self.rated = self._rating(missing / (received + missing), delay_ms, now)
        if not self._is_news(rating):
            return None
        self.told = rating
        return rating

    def mean_delay_ms(self, present_ms: float) -> float:
        """One way, over all spans that were rated; before the first it is what it is now."""
        return self._delays_ms / self._delays if self._delays else present_ms

    def take_rated(self) -> Rating | None:
        """The rating of the span that is just over, once."""
        rated, self.rated = self.rated, None
        return rated

    def _rating(self, loss: float, delay_ms: float, now: float) -> Rating:
        reported = now - self.peer_reported_at <= _REPORT_S
        return Rating(mos(loss, delay_ms), mos(self.peer_loss, delay_ms) if reported else 0.0, loss)

    def _is_news(self, rating: Rating) -> bool:
        told = self.told
        if told is None or rating.mos < POOR_MOS or 0 < rating.peer_mos < POOR_MOS:
            return True
        return abs(rating.mos - told.mos) >= _CHANGE or abs(rating.peer_mos - told.peer_mos) >= _CHANGE
