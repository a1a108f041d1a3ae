"""When a media worker takes no more calls."""

from __future__ import annotations

from voicegw.media.fullness import Fullness
from voicegw.media.messages import WorkerReport


def reports(fullness: Fullness, count: int, *, busy: float, late: int = 0) -> bool:
    for _ in range(count):
        fullness.take(WorkerReport(0.0, 13, late, 0.0, busy, 100, {}))
    return fullness.full


def test_a_busy_worker_is_full_after_a_second_and_open_again_when_it_is_clearly_less_busy() -> None:
    fullness = Fullness(0.8, 0.2)
    assert not reports(fullness, 1, busy=1.0), "one report is no trend"
    assert reports(fullness, 8, busy=1.0)
    assert reports(fullness, 40, busy=0.75), "too near to the limit to take calls again"
    assert not reports(fullness, 40, busy=0.7)


def test_late_ticks_count_where_the_worker_itself_is_the_reason() -> None:
    assert reports(Fullness(0.8, 0.2), 20, busy=0.5, late=6)
    assert not reports(Fullness(0.8, 0.2), 20, busy=0.1, late=6), "held up by others"


def test_a_successor_begins_empty() -> None:
    fullness = Fullness(0.8, 0.2)
    reports(fullness, 20, busy=1.0)
    fullness.restart()
    assert not fullness.full
