from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegw.sip.timers import Timer, TimerQueue, TimerValues


def test_values_of_table_4_and_rfc_6026() -> None:
    values = TimerValues()
    expected = {"A": 0.5, "B": 32, "D": 32, "E": 0.5, "F": 32, "G": 0.5, "H": 32, "I": 5, "J": 32, "K": 5}
    expected |= {"L": 32, "M": 32}
    assert {name: values.first(Timer[name]) for name in expected} == expected
    assert all(values.first(timer) > 0 for timer in Timer)


def test_t1_scales_what_follows_from_it_and_nothing_else() -> None:
    values = TimerValues(t1=0.1)
    assert values.first(Timer.B) == pytest.approx(6.4)
    assert values.first(Timer.D) == 32.0
    assert values.first(Timer.K) == 5.0


def test_intervals_double_up_to_t2_but_timer_a_goes_on() -> None:
    values = TimerValues()
    assert values.again(Timer.E, 2.0) == 4.0
    assert values.again(Timer.G, 4.0) == 4.0
    assert values.again(Timer.A, 4.0) == 8.0


def test_timers_come_due_in_order_and_once() -> None:
    queue: TimerQueue[str] = TimerQueue()
    queue.start("x", Timer.B, 3.0)
    queue.start("x", Timer.A, 1.0)
    queue.start("y", Timer.A, 2.0)
    assert queue.next_deadline() == 1.0
    assert list(queue.pop_due(2.0)) == [("x", Timer.A), ("y", Timer.A)]
    assert list(queue.pop_due(2.0)) == []
    assert len(queue) == 1


def test_a_restarted_timer_moves_and_a_stopped_one_is_gone() -> None:
    queue: TimerQueue[str] = TimerQueue()
    queue.start("x", Timer.A, 1.0)
    queue.start("x", Timer.A, 5.0)
    queue.start("x", Timer.B, 2.0)
    queue.stop("x", Timer.B)
    queue.stop("x", Timer.C)
    assert queue.next_deadline() == 5.0
    assert list(queue.pop_due(9.0)) == [("x", Timer.A)]
    assert queue.next_deadline() is None


def test_handling_one_timer_may_stop_and_start_others() -> None:
    queue: TimerQueue[str] = TimerQueue()
    queue.start("x", Timer.A, 1.0)
    queue.start("x", Timer.B, 1.5)
    fired = []
    for _, timer in queue.pop_due(2.0):
        fired.append(timer)
        if timer is Timer.A:
            queue.stop("x", Timer.B)
            queue.start("x", Timer.C, 1.8)
    assert fired == [Timer.A, Timer.C]


def test_stopped_timers_do_not_pile_up() -> None:
    queue: TimerQueue[int] = TimerQueue()
    for owner in range(10_000):
        queue.start(owner, Timer.A, 1e9)
        queue.stop(owner, Timer.A)
    assert len(queue) == 0
    assert len(queue._heap) < 100


@given(st.lists(st.tuples(st.sampled_from("ssp"), st.integers(0, 3), st.sampled_from(Timer), st.floats(0, 100))))
def test_against_a_dictionary(steps: list[tuple[str, int, Timer, float]]) -> None:
    queue: TimerQueue[int] = TimerQueue()
    model: dict[tuple[int, Timer], float] = {}
    for what, owner, timer, deadline in steps:
        if what == "s":
            queue.start(owner, timer, deadline)
            model[(owner, timer)] = deadline
        else:
            queue.stop(owner, timer)
            model.pop((owner, timer), None)
        assert queue.next_deadline() == min(model.values(), default=None)
    fired = list(queue.pop_due(50.0))
    assert sorted(fired, key=repr) == sorted((k for k, d in model.items() if d <= 50.0), key=repr)
    assert [model[k] for k in fired] == sorted(model[k] for k in fired)
