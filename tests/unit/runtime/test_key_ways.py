from __future__ import annotations

from voicegw.base.ids import LegId
from voicegw.runtime.key_ways import KeyWay, KeyWays

ONE, OTHER = LegId("one"), LegId("other")


def test_the_first_way_counts_for_as_long_as_the_leg_lives() -> None:
    ways = KeyWays()
    assert ways.counts(ONE, KeyWay.INFO)
    assert not ways.counts(ONE, KeyWay.RTP)
    assert ways.counts(ONE, KeyWay.INFO)
    assert ways.counts(OTHER, KeyWay.RTP), "each leg has its own"
    ways.forget(ONE)
    assert ways.counts(ONE, KeyWay.RTP)
    ways.forget(ONE)
    ways.forget(ONE)
