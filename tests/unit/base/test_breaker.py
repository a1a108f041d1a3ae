"""The circuit breaker over all pairs, and the stories it is for."""

from __future__ import annotations

from itertools import product

import pytest

from voicegw.base.breaker import TABLE, BreakerConfig, BreakerEvent, BreakerState, CircuitBreaker
from voicegw.base.fsm import IllegalTransition
from voicegw.testing.manual_clock import ManualClock

CONFIG = BreakerConfig(open_after=3, open_s=10, open_max_s=35)
ILLEGAL = {
    (BreakerState.CLOSED, BreakerEvent.TRIED),
    (BreakerState.OPEN, BreakerEvent.FAILED),
    (BreakerState.HALF_OPEN, BreakerEvent.TRIED),
    (BreakerState.HALF_OPEN, BreakerEvent.FAILED),
}


def test_all_pairs() -> None:
    for pair in product(BreakerState, BreakerEvent):
        if pair in ILLEGAL:
            with pytest.raises(IllegalTransition):
                TABLE.next(*pair)
        else:
            assert TABLE.next(*pair) in BreakerState


def tripped(clock: ManualClock) -> CircuitBreaker:
    breaker = CircuitBreaker(CONFIG)
    for _ in range(3):
        assert breaker.allows(clock.monotonic())
        breaker.failed(clock.monotonic())
    return breaker


def test_three_failures_in_a_row_open_it_and_a_success_starts_over() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(CONFIG)
    for _ in range(2):
        breaker.failed(clock.monotonic())
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(clock.monotonic())
    assert breaker.state is BreakerState.CLOSED
    breaker.failed(clock.monotonic())
    assert breaker.state is BreakerState.OPEN
    assert not breaker.allows(clock.monotonic())


def test_one_trial_after_the_pause_closes_it() -> None:
    clock = ManualClock()
    breaker = tripped(clock)
    assert not breaker.allows(clock.advance(9.9))
    assert breaker.allows(clock.advance(0.1))
    breaker.asked(clock.monotonic())
    assert not breaker.allows(clock.monotonic())  # one at a time
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_pauses_double_up_to_a_limit_and_start_over_after_a_success() -> None:
    clock = ManualClock()
    breaker = tripped(clock)
    for pause in (10, 20, 35, 35):
        assert not breaker.allows(clock.advance(pause - 0.1))
        assert breaker.allows(clock.advance(0.1))
        breaker.asked(clock.monotonic())
        breaker.failed(clock.monotonic())
    clock.advance(35)
    breaker.asked(clock.monotonic())
    breaker.succeeded()
    for _ in range(3):
        breaker.failed(clock.monotonic())
    assert breaker.allows(clock.advance(10))


def test_a_trial_that_was_cancelled_may_be_repeated_at_once() -> None:
    clock = ManualClock()
    breaker = tripped(clock)
    clock.advance(10)
    breaker.asked(clock.monotonic())
    breaker.abandoned()
    assert breaker.allows(clock.monotonic())


def test_the_server_says_how_long() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(CONFIG)
    breaker.failed(clock.monotonic(), retry_after_s=25.0)
    assert not breaker.allows(clock.advance(24.9))
    assert breaker.allows(clock.advance(0.1))
    breaker = CircuitBreaker(CONFIG)
    breaker.failed(clock.monotonic(), retry_after_s=86400.0)
    assert breaker.allows(clock.advance(35))


def test_late_failures_do_not_prolong_the_pause_twice() -> None:
    clock = ManualClock()
    breaker = tripped(clock)
    for _ in range(20):  # answers that were under way when it opened
        breaker.failed(clock.monotonic())
    assert breaker.allows(clock.advance(10))


def test_a_late_success_closes_it() -> None:
    clock = ManualClock()
    breaker = tripped(clock)
    breaker.succeeded()
    assert breaker.allows(clock.monotonic())
