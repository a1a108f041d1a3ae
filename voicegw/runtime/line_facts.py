"""What the media worker measures of a leg, as facts of the call."""

from __future__ import annotations

from collections.abc import Callable

from voicegw.call import facts as f
from voicegw.gateway.sip_traces import Trace
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
        stats.srtp,
        stats.peer_lost if stats.peer_mos else -1,
        round(stats.peer_jitter_ms, 1),
        round(stats.peer_mos, 2),
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


def traced(trace: Trace, role: str, party: str, position_ms: Callable[[float], float]) -> f.SipWasTraced:
    """What was said by SIP on a leg."""
    steps = tuple(
        f.SipStep(
            position_ms(one.at),
            one.sent,
            one.start_line,
            one.cseq,
            one.here,
            one.peer,
            one.transport,
            one.reason,
            one.again,
            one.text,
        )
        for one in trace.messages
    )
    return f.SipWasTraced(role, party, steps, trace.dropped)
