from __future__ import annotations

import numpy as np
import pytest

from voicegw.audio import levels

FULL_SQUARE = np.tile(np.array([32767, -32768], np.int16), 80)
SINE = (32767 * np.sin(2 * np.pi * 1000 * np.arange(160) / 8000)).astype(np.int16)


def test_levels_are_relative_to_the_full_scale_square_wave() -> None:
    rows = np.stack([FULL_SQUARE, SINE, SINE // 10, np.zeros(160, np.int16)])
    assert levels.level_dbov(rows).tolist() == pytest.approx([0, -3.01, -23.0, -127], abs=0.05)
    assert levels.level_dbov(SINE).shape == ()
    assert levels.level_dbov(np.empty((2, 0), np.int16)).tolist() == pytest.approx([-127, -127])
    assert levels.level_dbov(rows).dtype == np.float32


def test_float_round_trip_is_exact_and_saturates() -> None:
    pcm = np.arange(-32768, 32768).astype(np.int16)
    assert np.array_equal(levels.to_int16(levels.to_float(pcm)), pcm)
    assert levels.to_int16(np.array([1.5, -2.0], np.float32)).tolist() == [32767, -32768]


def test_gain_per_row_saturates_instead_of_wrapping() -> None:
    rows = np.array([[1000, -1000], [30000, -30000]], np.int16)
    assert levels.apply_gain(rows, np.array([0.5, 2.0], np.float32)).tolist() == [[500, -500], [32767, -32768]]
    assert levels.apply_gain(rows, 0.0).tolist() == [[0, 0], [0, 0]]
    assert levels.db_to_gain(-20) == pytest.approx(0.1)


def test_fades_touch_only_their_end_and_do_not_change_the_input() -> None:
    flat = np.full((2, 160), 10000, np.int16)
    up, down = levels.fade_in(flat), levels.fade_out(flat)
    assert (up[:, 40:] == 10000).all() and (down[:, :120] == 10000).all() and (flat == 10000).all()
    assert (np.diff(up[0]) >= 0).all() and (np.diff(down[0]) <= 0).all()
    assert up[0, 0] < 100 and down[0, -1] < 100
    assert levels.fade_out(np.full(10, 10000, np.int16))[-1] < 200  # shorter than the fade: still ends near zero
    assert levels.fade_in(np.empty(0, np.int16)).size == 0


def test_a_fall_and_a_rise_add_up_to_a_crossfade() -> None:
    flat = np.full(40, 10000, np.int16)
    both = levels.fade_in(flat).astype(int) + levels.fade_out(flat)
    assert abs(both - 10000).max() <= 1
