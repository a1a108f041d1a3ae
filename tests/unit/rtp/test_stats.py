from __future__ import annotations

import numpy as np
import pytest

from voicegw.rtp.stats import Reception, ReceptionStats, mos


def feed(stats: ReceptionStats, sequence: int, timestamp: int, arrival: int | None, row: int = 0) -> Reception:
    numbers = np.array([sequence], np.int64), np.array([timestamp & 0xFFFFFFFF], np.int64)
    return stats.update(np.array([row], np.intp), *numbers, arrival)


def run(stats: ReceptionStats, sequences: list[int]) -> list[bool]:
    return [bool(feed(stats, s & 0xFFFF, s * 160, s * 160).fresh[0]) for s in sequences]


def test_loss_duplicates_and_reordering() -> None:
    stats = ReceptionStats(2)
    fresh = run(stats, [10, 11, 11, 14, 13, 16])
    assert fresh == [True, True, False, True, True, True]
    assert stats.lost(0) == 2  # 12 and 15
    assert stats.duplicates[0] == 1
    assert stats.received[0] == 5
    assert stats.lost(1) == 0


def test_sequence_numbers_wrap() -> None:
    stats = ReceptionStats(1)
    run(stats, [65534, 65535, 65536, 65538])
    assert stats.lost(0) == 1
    report = stats.report(0)
    assert report is not None
    assert report.highest_sequence == 65538


def test_fraction_is_of_the_interval() -> None:
    stats = ReceptionStats(1)
    run(stats, list(range(100)))
    first = stats.report(0)
    run(stats, list(range(100, 200, 2)))
    second = stats.report(0)
    assert first is not None and second is not None
    assert (first.fraction_lost, first.cumulative_lost) == (0, 0)
    assert second.cumulative_lost == 49
    assert second.fraction_lost == 49 * 256 // 99


def test_a_new_source_keeps_the_totals() -> None:
    stats = ReceptionStats(1)
    run(stats, [1, 3])
    stats.restart(0)
    assert stats.report(0) is None
    run(stats, [40000, 40002])
    assert stats.lost(0) == 2
    assert stats.received[0] == 4


def test_a_jump_of_the_sequence_is_a_restart_not_a_loss() -> None:
    stats = ReceptionStats(1)
    run(stats, [1, 2, 20000, 20001])
    assert stats.lost(0) == 0


def test_jitter_follows_the_formula_and_ignores_events() -> None:
    stats = ReceptionStats(1)
    for number in range(200):
        feed(stats, number, number * 160, number * 160 + (80 if number % 2 else 0))
    assert stats.jitter(0) == pytest.approx(80, abs=2)
    feed(stats, 200, 0, None)
    assert stats.jitter(0) == pytest.approx(80, abs=2)


def test_steady_arrival_has_no_jitter_whatever_the_offset() -> None:
    stats = ReceptionStats(1)
    for number in range(50):
        feed(stats, number, 0xFFFFF000 + number * 160, 12345 + number * 160)
    assert stats.jitter(0) == 0


@pytest.mark.parametrize(
    ("loss", "delay_ms", "low", "high"),
    [(0, 20, 4.3, 4.5), (0.05, 50, 3.4, 4.1), (0.5, 400, 1.0, 1.8), (1, 9999, 1, 1)],
)
def test_opinion_scores(loss: float, delay_ms: float, low: float, high: float) -> None:
    assert low <= mos(loss, delay_ms) <= high
