"""Adaptive endpointing: worked examples with times, and what holds for all inputs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.turn.endpointing import (
    TYPICAL_PAUSES_MS,
    EndpointingConfig,
    PauseMemory,
    TurnSoFar,
    silence_needed_ms,
)

CONFIG = EndpointingConfig()
NEW = PauseMemory()
SLOW = PauseMemory((700, 750, 800, 850, 900))
BRISK = PauseMemory((150,) * 20)


@pytest.mark.parametrize(
    ("memory", "turn", "wait_ms"),
    [
        (NEW, TurnSoFar(), 650),
        (NEW, TurnSoFar(complete=True), 400),
        (NEW, TurnSoFar(patient=True), 1300),
        (NEW, TurnSoFar(complete=True, patient=True), 400),
        (SLOW, TurnSoFar(), 950),
        (SLOW, TurnSoFar(complete=True), 400),
        (SLOW, TurnSoFar(patient=True), 1300),
        (BRISK, TurnSoFar(), 520),
        (NEW, TurnSoFar(end_probability=0.5), 650),
        (NEW, TurnSoFar(end_probability=1.0), 250),
        (NEW, TurnSoFar(end_probability=0.75), 450),
        (NEW, TurnSoFar(end_probability=0.0), 1200),
        (NEW, TurnSoFar(end_probability=0.25), 925),
        (SLOW, TurnSoFar(end_probability=0.9), 390),
        (NEW, TurnSoFar(complete=True, end_probability=1.0), 250),
        (NEW, TurnSoFar(complete=True, end_probability=0.0), 400),
        (NEW, TurnSoFar(patient=True, end_probability=1.0), 1300),
        (NEW, TurnSoFar(patient=True, end_probability=0.0), 2000),
        (NEW, TurnSoFar(end_probability=float("nan")), 650),
    ],
)
def test_worked_examples(memory: PauseMemory, turn: TurnSoFar, wait_ms: int) -> None:
    assert silence_needed_ms(CONFIG, memory, turn) == wait_ms


def test_a_call_with_a_slow_speaker() -> None:
    """The threshold follows the pauses one by one, and goes back when they become short."""
    memory, seen = NEW, []
    for pause_ms in (620, 700, 780, 780, 780, 780):
        memory = memory.paused(CONFIG, pause_ms)
        seen.append(memory.threshold_ms(CONFIG))
    assert seen == [700, 720, 800, 880, 880, 880]
    for _ in range(20):
        memory = memory.paused(CONFIG, 200)
    assert memory.threshold_ms(CONFIG) == 520


def test_long_fluent_speech_makes_it_quicker() -> None:
    memory = NEW
    for _ in range(10):
        memory = memory.spoke(CONFIG, 2000)
    assert memory.threshold_ms(CONFIG) == 580
    assert NEW.spoke(CONFIG, 400) == NEW


def test_one_odd_pause_hardly_matters() -> None:
    assert NEW.paused(CONFIG, 1900).threshold_ms(CONFIG) == 700


@pytest.mark.parametrize("pause_ms", [-5, 0, 2001, float("inf"), float("nan")])
def test_what_is_no_pause_is_not_learned(pause_ms: float) -> None:
    assert NEW.paused(CONFIG, pause_ms) == NEW


def test_nothing_is_remembered_where_nothing_may_be() -> None:
    assert NEW.paused(EndpointingConfig(remembered=0), 500) == NEW


pauses = st.lists(st.integers(1, 2500), max_size=30)
turns = st.builds(
    TurnSoFar,
    complete=st.booleans(),
    patient=st.booleans(),
    end_probability=st.none() | st.just(float("nan")) | st.floats(-1, 2),
)


def _memory(pauses_ms: list[int]) -> PauseMemory:
    memory = NEW
    for pause_ms in pauses_ms:
        memory = memory.paused(CONFIG, pause_ms)
    return memory


@settings(max_examples=300, deadline=None)
@given(pauses, turns)
def test_every_wait_is_between_the_limits(pauses_ms: list[int], turn: TurnSoFar) -> None:
    memory = _memory(pauses_ms)
    assert CONFIG.shortest_ms <= memory.threshold_ms(CONFIG) <= CONFIG.longest_ms
    assert len(memory.pauses_ms) <= CONFIG.remembered
    assert CONFIG.sure_ms <= silence_needed_ms(CONFIG, memory, turn) <= CONFIG.deadline_ms


@settings(max_examples=200, deadline=None)
@given(pauses, st.integers(1, 2000), st.integers(1, 2000), turns)
def test_a_longer_pause_never_makes_it_less_patient(pauses_ms: list[int], a: int, b: int, turn: TurnSoFar) -> None:
    memory = _memory(pauses_ms)
    shorter, longer = (memory.paused(CONFIG, pause) for pause in sorted((a, b)))
    assert silence_needed_ms(CONFIG, shorter, turn) <= silence_needed_ms(CONFIG, longer, turn)


@settings(max_examples=200, deadline=None)
@given(pauses, st.floats(0, 1), st.floats(0, 1), st.booleans(), st.booleans())
def test_a_surer_model_never_waits_longer(
    pauses_ms: list[int], a: float, b: float, complete: bool, patient: bool
) -> None:
    memory = _memory(pauses_ms)
    unsure, sure = (TurnSoFar(complete, patient, p) for p in sorted((a, b)))
    assert silence_needed_ms(CONFIG, memory, sure) <= silence_needed_ms(CONFIG, memory, unsure)


@settings(max_examples=200, deadline=None)
@given(pauses, st.none() | st.floats(0, 1))
def test_a_complete_answer_is_never_waited_for_longer_and_a_number_never_shorter(
    pauses_ms: list[int], probability: float | None
) -> None:
    memory = _memory(pauses_ms)
    plain, complete, patient = (
        silence_needed_ms(CONFIG, memory, TurnSoFar(c, p, probability))
        for c, p in ((False, False), (True, False), (False, True))
    )
    assert complete <= plain <= patient


@settings(max_examples=100, deadline=None)
@given(st.integers(150, 1000))
def test_a_steady_caller_is_cut_off_no_more(pause_ms: int) -> None:
    memory = _memory([pause_ms] * CONFIG.remembered)
    assert memory.threshold_ms(CONFIG) > pause_ms or pause_ms < TYPICAL_PAUSES_MS[0]
