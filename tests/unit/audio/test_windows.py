from __future__ import annotations

import numpy as np
import pytest

from voicegw.audio.windows import WindowAssembler


def test_windows_are_the_stream_cut_anew_and_positions_are_exact() -> None:
    assembler = WindowAssembler(4, 256)
    stream = np.arange(1, 160 * 40 + 1).astype(np.int16)
    rows = np.array([3, 0])
    for row in rows:
        assembler.reset(int(row))
    got: dict[int, list[np.ndarray]] = {0: [], 3: []}
    for tick in range(40):
        frame = stream[tick * 160 : tick * 160 + 160]
        full, windows, ends = assembler.push(rows, np.stack([frame, -frame]))
        for row, window, end in zip(full.tolist(), windows, ends.tolist(), strict=True):
            sign = 1 if row == 3 else -1
            start = max(end - 256, 0)
            assert np.array_equal(window[256 - (end - start) :], sign * stream[start:end])
            assert not window[: 256 - (end - start)].any()
            got[row].append(end)
    for ends_of_row in got.values():
        assert (np.diff(ends_of_row) == 256).all() and len(ends_of_row) == 25
    assert got[0] != got[3]  # different phases


def test_the_windows_of_many_rows_are_spread_over_the_ticks() -> None:
    assembler, rows = WindowAssembler(80, 256), np.arange(80)
    for row in rows:
        assembler.reset(int(row))
    counts = [len(assembler.push(rows, np.zeros((80, 160), np.int16))[0]) for _ in range(16)]
    assert set(counts) == {50}


def test_reset_drops_what_was_held() -> None:
    assembler = WindowAssembler(1, 256)
    assembler.reset(0)
    assembler.push(np.array([0]), np.full((1, 160), 9, np.int16))
    assembler.reset(0)
    ones = np.ones((1, 160), np.int16)
    assert len(assembler.push(np.array([0]), ones)[0]) == 0
    full, windows, ends = assembler.push(np.array([0]), ones)
    assert full.tolist() == [0] and (windows == 1).all() and ends.tolist() == [256]


def test_a_frame_longer_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="frame"):
        WindowAssembler(1, 100)
