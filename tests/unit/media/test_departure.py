from __future__ import annotations

from itertools import cycle, islice, pairwise

import pytest

from voicegw.media.departure import DepartureTime

MS = 0.001


def after(*ready_ms: float, ticks: int = 500, departure: DepartureTime | None = None) -> DepartureTime:
    """Ticks whose packets were ready after these times, in turn."""
    departure = departure or DepartureTime()
    for ready in islice(cycle(ready_ms), ticks):
        departure.note(ready * MS)
    return departure


def test_packets_wait_for_the_slowest_ticks() -> None:
    assert after(1.0, 2.0, 1.0, 3.1).offset_s == pytest.approx(3.25 * MS)


def test_one_tick_in_two_hundred_may_be_later_and_one_in_a_hundred_may_not() -> None:
    assert after(*[1.1] * 250, 6.1, ticks=2500).offset_s == pytest.approx(1.25 * MS)
    assert after(*[1.1] * 99, 6.1, ticks=2500).offset_s == pytest.approx(6.25 * MS)


def test_nothing_waits_longer_than_twelve_milliseconds() -> None:
    assert after(15.0).offset_s == pytest.approx(12 * MS)


def test_nothing_waits_before_anything_is_known() -> None:
    assert after(5.0, ticks=49).offset_s == 0.0


def test_a_tick_that_begins_early_counts_as_one_in_time() -> None:
    assert after(-0.5).offset_s == 0.0


def test_it_goes_up_at_once_and_down_by_small_steps() -> None:
    departure = after(4.1)
    assert departure.offset_s == pytest.approx(4.25 * MS)
    offsets = [after(1.1, ticks=500, departure=departure).offset_s for _ in range(20)]
    steps = [before - later for before, later in pairwise(offsets)]
    assert max(steps) <= 0.25 * MS + 1e-9
    assert offsets[-1] == pytest.approx(1.25 * MS)
    assert after(6.1, ticks=50, departure=departure).offset_s == pytest.approx(6.25 * MS)
