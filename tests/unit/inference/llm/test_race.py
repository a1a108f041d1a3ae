"""Who is asked when: the race over all pairs, in stories, and at random."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.fsm import IllegalTransition
from voicegw.inference.llm.config import ChainConfig
from voicegw.inference.llm.race import TABLE, Cancel, Race, RaceCommand, RunnerEvent, RunnerState, Start

CONFIG = ChainConfig(hedge_after_s=1.0, give_up_after_s=5.0, max_parallel=2)
LEGAL = {
    (RunnerState.WAITING, RunnerEvent.START),
    (RunnerState.ASKED, RunnerEvent.SPOKE),
    (RunnerState.ASKED, RunnerEvent.FAIL),
    (RunnerState.ASKED, RunnerEvent.CANCEL),
}


def test_all_pairs() -> None:
    for pair in product(RunnerState, RunnerEvent):
        if pair in LEGAL:
            TABLE.next(*pair)
        else:
            with pytest.raises(IllegalTransition):
                TABLE.next(*pair)


def test_a_quick_first_is_alone() -> None:
    race = Race(3, CONFIG, 0.0)
    assert race.begin(0.0) == [Start(0)]
    assert race.deadline() == 1.0
    assert race.tick(0.9) == []
    assert race.spoke(0, 0.9) == []
    assert (race.winner, race.over) == (0, True)


def test_a_late_first_gets_company_and_whoever_speaks_first_is_kept() -> None:
    race = Race(3, CONFIG, 0.0)
    race.begin(0.0)
    assert race.tick(1.0) == [Start(1)]
    assert race.tick(2.0) == []  # two at once are enough
    assert race.deadline() == 5.0
    assert race.spoke(1, 1.5) == [Cancel(0, late=True)]
    assert race.winner == 1
    race = Race(2, CONFIG, 0.0)
    race.begin(0.0)
    race.tick(1.0)
    assert race.spoke(0, 1.5) == [Cancel(1, late=False)]


def test_a_failure_is_replaced_at_once() -> None:
    race = Race(3, CONFIG, 0.0)
    race.begin(0.0)
    assert race.failed(0, 0.1) == [Start(1)]
    assert race.deadline() == pytest.approx(1.1)
    assert race.tick(1.1) == [Start(2)]
    assert race.failed(1, 1.2) == []
    assert not race.over
    assert race.failed(2, 1.3) == []
    assert (race.winner, race.over) == (None, True)


def test_nobody_speaks() -> None:
    race = Race(2, CONFIG, 0.0)
    race.begin(0.0)
    race.tick(1.0)
    assert race.tick(5.0) == [Cancel(0, late=True), Cancel(1, late=True)]
    assert (race.winner, race.over) == (None, True)


def test_nobody_to_ask() -> None:
    race = Race(0, CONFIG, 0.0)
    assert race.begin(0.0) == []
    assert race.over


@settings(max_examples=150, deadline=None)
@given(
    runners=st.integers(0, 4),
    parallel=st.integers(1, 3),
    story=st.lists(st.tuples(st.sampled_from(["spoke", "failed", "tick"]), st.floats(0, 3)), max_size=30),
)
def test_at_random_it_always_ends_by_its_deadline_with_nobody_left_behind(
    runners: int, parallel: int, story: list[tuple[str, float]]
) -> None:
    race = Race(runners, ChainConfig(hedge_after_s=1.0, give_up_after_s=5.0, max_parallel=parallel), 0.0)
    now = 0.0
    asked: set[int] = set()
    started: list[int] = []

    def carry_out(commands: list[RaceCommand]) -> None:
        for command in commands:
            if isinstance(command, Start):
                asked.add(command.runner)
                started.append(command.runner)
            else:
                asked.remove(command.runner)

    carry_out(race.begin(now))
    for what, pause in [*story, ("tick", 5.0)]:
        if race.over:
            break
        now += pause
        assert 0 < len(asked) <= parallel
        runner = min(asked)
        if what == "tick":
            carry_out(race.tick(now))
            continue
        asked.remove(runner)
        carry_out(race.spoke(runner, now) if what == "spoke" else race.failed(runner, now))
    assert race.over
    assert not asked
    assert started == list(range(len(started)))
