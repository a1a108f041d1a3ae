from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.turn.vad_gate import GateEdge, VadGate
from voicegw.turn.vad_gate_config import VadGateConfig

WINDOW = 256
ROW = np.array([0])
BUDGET = settings(max_examples=60, deadline=None)


def feed(gate: VadGate, probabilities: list[float], row: int = 0, first: int = 0) -> list[GateEdge]:
    """Windows of one row one after another, without the level gate."""
    edges = []
    for number, probability in enumerate(probabilities, start=first):
        ends = np.array([(number + 1) * WINDOW], np.int64)
        edges += gate.update(np.array([row]), np.array([probability], np.float32), ends)
    return edges


def test_onset_and_offset_are_where_speech_was_not_where_it_was_noticed() -> None:
    edges = feed(VadGate(1), [0.0] * 5 + [0.9] * 10 + [0.0] * 10)
    start, stop = edges
    assert (start.started, start.position, start.decided) == (True, 5 * WINDOW, 7 * WINDOW)
    assert (stop.started, stop.position, stop.decided) == (False, 15 * WINDOW, 22 * WINDOW)  # 224 ms of pause


def test_a_hesitant_first_window_belongs_to_the_word() -> None:
    start, *_ = feed(VadGate(1), [0.0, 0.3, 0.8, 0.9])
    assert (start.position, start.decided) == (WINDOW, 3 * WINDOW)


def test_a_long_hesitation_does_not() -> None:
    start, *_ = feed(VadGate(1), [0.3] * 50 + [0.9])
    assert start.position == 51 * WINDOW - 1600


@pytest.mark.parametrize("probabilities", [[0.95], [0.3, 0.3, 0.6, 0.6], [0.9, 0.05] * 20, [0.0] * 50])
def test_clicks_and_doubts_do_not_open(probabilities: list[float]) -> None:
    assert feed(VadGate(1), [*probabilities, 0.0, 0.0]) == []


def test_a_weak_syllable_or_a_stop_consonant_does_not_close() -> None:
    pattern = [0.9] * 4 + [0.4] * 10 + [0.9] + [0.1] * 5 + [0.9] * 3
    assert [edge.started for edge in feed(VadGate(1), pattern)] == [True]


def test_pre_roll_reaches_back_but_not_into_the_speech_before() -> None:
    gate = VadGate(1, VadGateConfig(pre_roll_ms=320))
    edges = feed(gate, [0.9] * 3 + [0.0] * 7 + [0.9] * 3)
    assert [edge.position for edge in edges] == [0, 3 * WINDOW, 3 * WINDOW]


def test_rows_are_independent_in_any_order() -> None:
    gate, alone = VadGate(6), {row: VadGate(1) for row in range(6)}
    rng = np.random.default_rng(4)
    probabilities = np.repeat(rng.random((6, 20)), 4, axis=1).astype(np.float32)
    together: list[GateEdge] = []
    for number in range(80):
        rows = rng.permutation(6)
        ends = np.full(6, (number + 1) * WINDOW, np.int64)
        together += gate.update(rows, probabilities[rows, number], ends)
    for row, single in alone.items():
        expected = feed(single, probabilities[row].tolist())
        got = [edge for edge in together if edge.row == row]
        assert [(e.started, e.position, e.decided) for e in got] == [
            (e.started, e.position, e.decided) for e in expected
        ]


def test_close_gives_the_stop_that_is_due_and_only_that() -> None:
    gate = VadGate(2)
    assert gate.close(1, 100) is None
    feed(gate, [0.9] * 4, row=1)
    assert gate.is_speaking(1) and not gate.is_speaking(0)
    assert gate.close(1, 1200) == GateEdge(1, False, 4 * WINDOW, 1200)
    assert gate.close(1, 1300) is None and not gate.is_speaking(1)


def test_reset_begins_a_new_stream() -> None:
    gate = VadGate(1)
    feed(gate, [0.9] * 40)
    gate.reset(0)
    start, *_ = feed(gate, [0.9] * 3)
    assert start == GateEdge(0, True, 0, 2 * WINDOW)


def needs(gate: VadGate, level: float) -> bool:
    return bool(gate.needs_model(ROW, np.array([level], np.float32))[0])


def test_a_silent_line_needs_no_model_and_any_sound_does() -> None:
    gate = VadGate(1)
    assert not any(needs(gate, -90.0) for _ in range(100))
    assert needs(gate, -60.0)  # already of a soft voice far away


def test_the_model_lingers_after_the_level_fell() -> None:
    gate = VadGate(1)
    assert needs(gate, -30.0)
    assert [needs(gate, -90.0) for _ in range(12)] == [True] * 9 + [False] * 3


def test_a_steady_hiss_is_learnt_and_a_voice_over_it_still_counts() -> None:
    gate = VadGate(1)
    for number in range(200):
        if needs(gate, -60.0):
            gate.update(ROW, np.zeros(1, np.float32), np.array([(number + 1) * WINDOW]))
    assert not needs(gate, -60.0)
    assert needs(gate, -56.0)


def test_a_loud_background_is_never_gated() -> None:
    gate = VadGate(1)
    for number in range(400):
        assert needs(gate, -40.0)
        gate.update(ROW, np.zeros(1, np.float32), np.array([(number + 1) * WINDOW]))


def test_speech_is_not_learnt_as_background() -> None:
    gate = VadGate(1)
    for number in range(300):
        assert needs(gate, -50.0)
        gate.update(ROW, np.full(1, 0.9, np.float32), np.array([(number + 1) * WINDOW]))
    assert gate.is_speaking(0)


def test_windows_at_the_background_end_the_speech_though_the_model_dreams_on() -> None:
    gate, edges = VadGate(1), []
    for number in range(30):
        gate.needs_model(ROW, np.array([-30.0 if number < 10 else -90.0], np.float32))
        edges += gate.update(ROW, np.full(1, 0.9, np.float32), np.array([(number + 1) * WINDOW]))
    assert [(edge.started, edge.position) for edge in edges] == [(True, 0), (False, 10 * WINDOW)]


def heard(gate: VadGate, levels: list[float]) -> list[GateEdge]:
    """Windows of these levels, all of which the model takes for speech until they are very soft."""
    edges = []
    for number, level in enumerate(levels):
        gate.needs_model(ROW, np.array([level], np.float32))
        probability = np.array([0.9 if level > -75 else 0.1], np.float32)
        edges += gate.update(ROW, probability, np.array([(number + 1) * WINDOW]))
    return edges


def test_what_dies_away_after_the_last_sound_is_no_speech() -> None:
    _, stop = heard(VadGate(1), [-25.0] * 10 + [-45.0, -62.0, -66.0] + [-90.0] * 10)
    assert stop.position == 11 * WINDOW
    assert stop.decided == 20 * WINDOW  # the gate stays open as long as ever


def test_the_end_is_known_to_a_part_of_a_window() -> None:
    gate, edges = VadGate(1), []
    for number in range(20):
        level = -25.0 if number < 10 else -90.0
        blocks = [level] * 4 if number != 9 else [-20.0, -24.0, -75.0, -90.0]
        gate.needs_model(ROW, np.array([level], np.float32))
        probability = np.array([0.9 if number < 10 else 0.1], np.float32)
        ends = np.array([(number + 1) * WINDOW])
        edges += gate.update(ROW, probability, ends, np.array([blocks], np.float32))
    assert [edge.position for edge in edges] == [0, 9 * WINDOW + WINDOW // 2]


def test_a_soft_voice_after_a_knock_is_speech() -> None:
    _, stop = heard(VadGate(1), [-5.0] * 3 + [-46.0] * 20 + [-90.0] * 10)
    assert stop.position == 23 * WINDOW - 128 * 8


def test_the_loudness_of_one_utterance_does_not_count_in_the_next() -> None:
    gate = VadGate(1)
    *_, stop = heard(gate, [-5.0] * 10 + [-90.0] * 10 + [-46.0] * 10 + [-90.0] * 10)
    assert stop.position == 30 * WINDOW


@BUDGET
@given(
    probabilities=st.lists(st.floats(0, 1, width=32), max_size=120),
    levels=st.lists(st.sampled_from([-100.0, -60.0, -40.0, -20.0]), min_size=120, max_size=120),
    level_gate=st.booleans(),
)
def test_edges_alternate_and_are_in_order(
    probabilities: list[float], levels: list[float], level_gate: bool
) -> None:
    gate, edges = VadGate(1), []
    for number, probability in enumerate(probabilities):
        if level_gate and not needs(gate, levels[number]):
            continue
        ends = np.array([(number + 1) * WINDOW], np.int64)
        edges += gate.update(ROW, np.array([probability], np.float32), ends)
    assert [edge.started for edge in edges] == [number % 2 == 0 for number in range(len(edges))]
    assert all(edge.position <= edge.decided for edge in edges)
    positions = [edge.position for edge in edges]
    assert positions == sorted(positions)
    for start in edges[::2]:
        assert start.decided - start.position <= 1600 and start.decided - start.position >= 512


@BUDGET
@given(st.lists(st.floats(0, 0.6875, width=32), max_size=100))
def test_nothing_below_the_threshold_ever_opens(probabilities: list[float]) -> None:
    assert feed(VadGate(1), probabilities) == []


@BUDGET
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60))
def test_every_speech_ends_in_silence(probabilities: list[float]) -> None:
    edges = feed(VadGate(1), probabilities + [0.0] * 8)
    assert len(edges) % 2 == 0


def test_a_pause_is_told_once_and_only_while_the_gate_is_open() -> None:
    gate = VadGate(1)
    told: list[tuple[int, int]] = []
    for number, probability in enumerate([0.9] * 5 + [0.0] * 4 + [0.9] * 3 + [0.0] * 20):
        ends = np.array([(number + 1) * WINDOW], np.int64)
        gate.update(ROW, np.array([probability], np.float32), ends)
        told += [(edge.position, edge.decided) for edge in gate.pauses(ROW, ends)]
    assert told == [(5 * WINDOW, 8 * WINDOW), (12 * WINDOW, 15 * WINDOW)]
