"""What the media worker measures of a leg, as facts of the call."""

from __future__ import annotations

from voicegw.call import facts as f
from voicegw.media import messages as m


def measured(stats: m.LegStats, role: str, party: str) -> f.MediaWasMeasured:
    """The counters of a leg at its end."""
    return f.MediaWasMeasured(
        stats.packets_sent,
        stats.packets_received,
        stats.packets_lost,
        stats.packets_late,
        stats.packets_rejected,
        stats.jitter_ms,
        role,
        round(stats.mos, 2),
        round(stats.round_trip_ms, 1),
        party,
    )


def rated(quality: m.QualityRated, role: str, party: str) -> f.MediaQualityHasChanged:
    """How it sounded lately."""
    return f.MediaQualityHasChanged(
        role,
        round(quality.mos, 2),
        round(quality.peer_mos, 2),
        round(quality.loss * 100, 1),
        round(quality.jitter_ms, 1),
        round(quality.round_trip_ms, 1),
        party,
    )
