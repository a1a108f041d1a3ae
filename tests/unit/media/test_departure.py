from __future__ import annotations

from itertools import cycle, islice

import pytest

from voicegw.media.departure import DepartureTime

MS = 0.001


def after(*ready_ms: float, ticks: int = 500, departure: DepartureTime | None = None) -> DepartureTime:
    """Ticks whose packets were ready after these times, in turn."""
    departure = departure or DepartureTime()
    for ready in islice(cycle(ready_ms), ticks):
        departure.note(ready * MS)
    return departure


def test_packets_wait_for_half_as_long_again_as_three_ticks_in_four_need_and_a_millisecond() -> None:
    assert after(1.0, 2.0, 2.1, 2.1, 5.0).offset_s == pytest.approx((2.25 * 1.5 + 1) * MS)


def test_the_slowest_ticks_have_no_say() -> None:
    assert after(*[2.1] * 4, 12.0).offset_s == after(2.1).offset_s


def test_nothing_waits_longer_than_twelve_milliseconds() -> None:
    assert after(15.0).offset_s == pytest.approx(12 * MS)


def test_nothing_waits_before_anything_is_known() -> None:
    assert after(5.0, ticks=49).offset_s == 0.0


def test_a_tick_that_begins_early_counts_as_one_in_time() -> None:
    assert after(-0.5).offset_s == pytest.approx(1 * MS)


@pytest.mark.parametrize("later_ms", [3.1, 4.9])
def test_it_stays_where_it_is_under_a_load_that_is_nearly_the_same(later_ms: float) -> None:
    departure = after(4.1)
    before = departure.offset_s
    assert after(later_ms, ticks=5000, departure=departure).offset_s == before


def test_it_follows_another_load_within_twenty_seconds_both_ways() -> None:
    departure = after(2.1)
    assert after(6.1, ticks=1000, departure=departure).offset_s == after(6.1).offset_s
    assert after(0.6, ticks=1000, departure=departure).offset_s == after(0.6).offset_s


def test_ten_seconds_of_a_busy_host_do_not_move_it() -> None:
    departure = after(3.1, ticks=1500)
    before = departure.offset_s
    assert after(*[3.1] * 4, 11.0, ticks=500, departure=departure).offset_s == before
