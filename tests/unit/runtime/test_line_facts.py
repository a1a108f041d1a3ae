"""What the media worker measures, as facts."""

from __future__ import annotations

from voicegw.media import messages as m
from voicegw.runtime.line_facts import measured


def test_a_leg_is_measured_in_both_directions() -> None:
    stats = m.LegStats(
        500, 490, 10, peer_lost=7, round_trip_ms=31.26, mos=4.123, peer_mos=4.067, peer_jitter_ms=2.44
    )
    fact = measured(stats, "caller", "ann")
    assert (fact.packets_lost, fact.mos, fact.round_trip_ms) == (10, 4.12, 31.3)
    assert (fact.peer_lost, fact.peer_mos, fact.peer_jitter_ms) == (7, 4.07, 2.4)


def test_of_a_peer_without_rtcp_nothing_is_known() -> None:
    fact = measured(m.LegStats(500, 490), "caller", "")
    assert (fact.peer_lost, fact.peer_mos, fact.peer_jitter_ms, fact.round_trip_ms) == (-1, 0.0, -1.0, -1.0)
