from __future__ import annotations

import pytest

from voicegw.runtime.tape import Tape

FRAME_BYTES = 320


def frame(number: int, frames: int = 1) -> bytes:
    return bytes([number]) * FRAME_BYTES * frames


def test_the_newest_audio_comes_in_whole_frames() -> None:
    tape = Tape(2.0)
    tape.add(frame(1, 3))
    tape.add(frame(2))
    assert tape.last(0.02) == frame(2)
    assert tape.last(0.03) == frame(1) + frame(2)
    assert tape.last(1.0) == tape.whole() == frame(1, 3) + frame(2)
    assert tape.last(0.0) == tape.last(-1.0) == b""


@pytest.mark.parametrize("frames", [1, 3, 7])
def test_no_more_is_kept_than_asked_for_and_one_piece(frames: int) -> None:
    tape = Tape(0.2)
    for number in range(50):
        tape.add(frame(number, frames))
        assert len(tape.whole()) < 10 * FRAME_BYTES + frames * FRAME_BYTES
    assert len(tape.last(5.0)) == 10 * FRAME_BYTES
    assert tape.last(5.0)[-frames * FRAME_BYTES :] == frame(49, frames)


def test_what_is_forgotten_does_not_count() -> None:
    tape = Tape(0.04)
    tape.add(frame(1, 2))
    tape.clear()
    assert tape.whole() == b""
    tape.add(frame(2))
    tape.add(frame(3))
    assert tape.whole() == frame(2) + frame(3)
