from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest

from voicegw.media.sweeping import Sweeper

EVERY = 1500
IDLE_S, FULL_S = 0.001, 0.015


class Party:
    """One half of a cycle."""

    def __init__(self) -> None:
        self.other: Party | None = None


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """As in the worker; afterwards as it was."""
    Sweeper.begin()
    yield
    gc.enable()
    gc.unfreeze()


def old_cycle() -> weakref.ref[Party]:
    """Two that hold each other and nobody else holds, after they were up for several rounds of the collector."""
    first, second = Party(), Party()
    first.other, second.other = second, first
    for generation in (0, 1, 1):
        gc.collect(generation)
    return weakref.ref(first)


def test_a_cycle_that_was_up_for_long_is_let_go_after_thirty_seconds() -> None:
    seen, sweeper = old_cycle(), Sweeper()
    for _ in range(EVERY - 1):
        sweeper.note(IDLE_S)
    assert seen() is not None
    sweeper.note(IDLE_S)
    assert seen() is None


def test_a_tick_without_time_leaves_it_to_the_next_that_has_some() -> None:
    seen, sweeper = old_cycle(), Sweeper()
    for _ in range(2 * EVERY):
        sweeper.note(FULL_S)
    assert seen() is not None
    sweeper.note(IDLE_S)
    assert seen() is None


def test_after_a_round_it_rests_again() -> None:
    sweeper = Sweeper()
    for _ in range(EVERY):
        sweeper.note(IDLE_S)
    seen = old_cycle()
    for _ in range(EVERY - 1):
        sweeper.note(IDLE_S)
    assert seen() is not None


def test_a_round_gives_back_the_tuples_that_the_interpreter_keeps_for_later() -> None:
    sweeper = Sweeper()
    before = sys.getallocatedblocks()
    for length in range(11, 19):
        for _ in range(1000):
            tuple(place for place in range(length))
    for _ in range(EVERY):
        sweeper.note(IDLE_S)
    assert sys.getallocatedblocks() - before < 500
