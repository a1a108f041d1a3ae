from __future__ import annotations

import numpy as np
import pytest

from voicegw.audio.windows import WindowAssembler


def test_windows_are_the_stream_cut_anew_and_positions_are_exact() -> None:
    assembler = WindowAssembler(80, 256)
    stream = np.arange(1, 160 * 40 + 1).astype(np.int16)
    rows = np.array([70, 0])
    for row in rows:
        assembler.reset(int(row))
    got: dict[int, list[np.ndarray]] = {0: [], 70: []}
    for tick in range(40):
        frame = stream[tick * 160 : tick * 160 + 160]
        full, windows, ends = assembler.push(rows, np.stack([frame, -frame]))
        for row, window, end in zip(full.tolist(), windows, ends.tolist(), strict=True):
            sign = 1 if row == 70 else -1
            start = max(end - 256, 0)
            assert np.array_equal(window[256 - (end - start) :], sign * stream[start:end])
            assert not window[: 256 - (end - start)].any()
            got[row].append(end)
    for ends_of_row in got.values():
        assert (np.diff(ends_of_row) == 256).all() and len(ends_of_row) == 25
    assert got[0] != got[70]  # groups differ in phase


def test_few_rows_make_one_batch_whenever_they_begin() -> None:
    assembler, rows = WindowAssembler(20, 256), np.arange(20)
    silence = np.zeros((20, 160), np.int16)
    for row in rows:
        assembler.reset(int(row))
        assembler.push(rows[: row + 1], silence[: row + 1])
    counts = [len(assembler.push(rows, silence)[0]) for _ in range(16)]
    assert sorted(counts) == [0] * 6 + [20] * 10


def test_the_windows_of_many_rows_are_spread_over_the_ticks() -> None:
    assembler, rows = WindowAssembler(256, 256), np.arange(256)
    for row in rows:
        assembler.reset(int(row))
    counts = [len(assembler.push(rows, np.zeros((256, 160), np.int16))[0]) for _ in range(16)]
    assert set(counts) == {160}


def test_reset_drops_what_was_held() -> None:
    assembler, row = WindowAssembler(1, 256), np.array([0])
    assembler.reset(0)
    for _ in range(8):  # as long as the phases take to come round
        assembler.push(row, np.full((1, 160), 9, np.int16))
    assembler.push(row, np.full((1, 160), 9, np.int16))
    assembler.reset(0)
    windows = np.concatenate([assembler.push(row, np.ones((1, 160), np.int16))[1] for _ in range(8)])
    assert len(windows) == 5 and set(windows.ravel().tolist()) <= {0, 1}
    assert windows[1:].all()


def test_a_frame_longer_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="frame"):
        WindowAssembler(1, 100)
