from __future__ import annotations

import pytest

from voicegw.media.clock import TickClock, TickLog


def test_lateness_does_not_add_up() -> None:
    clock = TickClock(100.0, catch_up_frames=3)
    for number in range(50):
        assert clock.advance(100.0 + number * 0.02 + 0.005) == 0
    assert clock.deadline == pytest.approx(101.0)


def test_a_short_stall_is_caught_up() -> None:
    clock = TickClock(100.0, catch_up_frames=3)
    assert clock.advance(100.05) == 0
    assert clock.advance(100.051) == 0
    assert clock.advance(100.052) == 0
    assert clock.deadline == pytest.approx(100.06)


def test_a_long_stall_is_given_up_in_whole_frames() -> None:
    clock = TickClock(100.0, catch_up_frames=3)
    assert clock.advance(100.155) == 7
    assert clock.deadline == pytest.approx(100.16)


def test_the_log_sums_up_and_starts_over() -> None:
    log = TickLog(0.0)
    log.add(0.0001, 0.004)
    log.add(0.0100, 0.006)
    summary = log.take(0.04)
    assert (summary.ticks, summary.late) == (2, 1)
    assert summary.worst_lateness_ms == pytest.approx(10)
    assert summary.busy_ratio == pytest.approx(0.25)
    assert log.take(0.08).ticks == 0
