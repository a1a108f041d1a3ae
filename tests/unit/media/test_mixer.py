from __future__ import annotations

import numpy as np

from voicegw.media.mixer import MixMatrix


def block(*values: int) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    return np.array([[value] * 4 for value in values], np.int16)


def mixed(edges: list[tuple[int, int, float]], sinks: int, *values: int) -> list[int]:
    return [int(row[0]) for row in MixMatrix(edges, sinks, 4).mix(block(*values))]


def test_one_source_a_sink() -> None:
    assert mixed([(0, 1, 1.0), (1, 0, 1.0)], 3, 10, 20) == [20, 10, 0]


def test_sources_add_up_with_gains() -> None:
    assert mixed([(0, 0, 1.0), (1, 0, 0.5), (2, 0, -1.0), (2, 1, 2.0)], 2, 100, 10, 3) == [102, 6]


def test_sums_saturate() -> None:
    assert mixed([(0, 0, 1.0), (1, 0, 1.0), (0, 1, -2.0)], 2, 30000, 30000) == [32767, -32768]
    assert mixed([(0, 0, 4.0)], 1, 30000) == [32767]


def test_nothing_is_left_of_the_tick_before() -> None:
    matrix = MixMatrix([(0, 0, 1.0), (1, 0, 1.0)], 2, 4)
    matrix.mix(block(1000, 1000))
    assert matrix.mix(block(1, 2)).tolist() == [[3] * 4, [0] * 4]


def test_no_edges_and_no_sinks() -> None:
    assert mixed([], 1, 5) == [0]
    assert MixMatrix([], 0, 4).mix(block(5)).shape == (0, 4)


def test_the_first_frame_of_a_change_leads_from_the_one_to_the_other() -> None:
    matrix = MixMatrix([(1, 0, 1.0), (0, 1, 1.0)], 2, 4, before=[(0, 0, 1.0), (0, 1, 1.0)])
    assert matrix.mix(block(0, 100)).tolist() == [[25, 50, 75, 100], [0] * 4]
    loud = MixMatrix([(1, 0, 1.0)], 1, 4, before=[(0, 0, 1.0)])
    assert loud.mix(block(-32768, 32767)).tolist()[0][-1] == 32767, "no difference is too wide"
