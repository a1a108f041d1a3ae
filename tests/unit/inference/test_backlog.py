"""A worker falls behind for want of a processor: not because it is asked much, and not by one slow call."""

from __future__ import annotations

from voicegw.inference.backlog import Backlog


def looks(backlog: Backlog, times: int, waited_for: int, starved: float) -> list[bool]:
    """Half a second each, ``starved`` of it without a processor."""
    found = []
    for _ in range(times):
        backlog.look(waited_for, starved * 0.5, 0.5)
        found.append(backlog.is_behind)
    return found


def test_many_who_wait_for_a_worker_without_a_processor() -> None:
    assert looks(Backlog(), 8, 4, 0.9) == [False] * 5 + [True] * 3


def test_it_is_over_when_results_come_or_the_processor_does() -> None:
    backlog = Backlog()
    assert looks(backlog, 8, 9, 0.9)[-1]
    assert looks(backlog, 1, 3, 0.9) == [False]
    assert looks(backlog, 4, 9, 0.9)[-1]
    assert looks(backlog, 4, 9, 0.0) == [True, False, False, False]


def test_a_worker_that_has_its_processor_may_be_asked_anything() -> None:
    assert not any(looks(Backlog(), 100, 1000, 0.4))


def test_a_few_calls_on_a_busy_machine_are_no_reason() -> None:
    assert not any(looks(Backlog(), 100, 3, 1.0))


def test_a_clock_that_stands_still_measures_nothing() -> None:
    backlog = Backlog()
    for _ in range(10):
        backlog.look(9, 0.0, 0.0)
    assert not backlog.is_behind
